"""Everything under /v1 fails in the OpenAI API's shape, and everything else as before."""

import hashlib
from pathlib import Path

import pytest

from gateway.errors import ERRORS, DrainingError
from gateway.openai import errors
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.gateway.openai_client import chat
from wire.messages import Failed
from wire.reasons import Reason
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions"
# The codes of a failed response after which Codex (0.171) doesn't ask again.
CODEX_GIVES_UP = {"invalid_prompt", "insufficient_quota", "context_length_exceeded", "usage_not_included"}
# What @ai-sdk/openai (3.0.141) takes for a status of 4xx, in an error's type and code.
FINAL_WORDS = ("authentication", "permission", "not_found", "invalid", "bad_request", "context_length")


def ai_sdk_repeats(type_: str, code: str) -> bool:
    """Return whether the AI SDK asks again after an error within a stream."""
    if "insufficient_quota" in (type_, code):
        return False
    return "rate_limit" in f"{code} {type_}" or not any(word in f"{code} {type_}" for word in FINAL_WORDS)


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_unknown_addresses_and_methods(gateway: RunningGateway) -> None:
    for method, path, status, code in (
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("GET", "/v1/", 404, "unknown_url"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ):
        response = await gateway.client.request(method, path)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert response.headers["x-should-retry"] == "false"
        assert response.headers["access-control-allow-origin"] == "*"
    assert (await gateway.client.get("/v1nothing")).json() == {"code": 404, "message": "未找到文件"}


async def test_bodies_that_are_none(store: Store) -> None:
    async with running(store, settings(max_body=1000)) as gateway:
        for body, status, code in ((b"x" * 1001, 413, "request_too_large"), (b"{", 400, "invalid_json")):
            response = await gateway.client.post(PATH, content=body)
            assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_a_key_is_asked_for_in_the_same_shape_everywhere(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"al {hashlib.sha256(b'key').hexdigest()}\n")
    async with running(store, settings(api_keys_file=path)) as gateway:
        for method, target in (
            ("GET", "/v1/models"),
            ("GET", "/v1/models/bing-precise"),
            ("POST", PATH),
            ("POST", "/v1/responses"),
            ("POST", "/v1/images/generations"),
            ("GET", "/v1/responses/resp_x"),
        ):
            response = await gateway.client.request(method, target)
            assert response.status_code == 401, target
            assert response.json()["error"]["type"] == "authentication_error"
            assert response.headers["www-authenticate"] == "Bearer"
        allowed = {"authorization": "Bearer key"}
        assert (await gateway.client.post(PATH, json=chat("hi"), headers=allowed)).status_code == 200


async def test_an_idempotency_key_that_is_too_short(gateway: RunningGateway) -> None:
    response = await gateway.client.post(PATH, json=chat("hi"), headers={"Idempotency-Key": "short"})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "key.length")


async def test_what_no_table_knows_reports_nothing(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.openai.requests.parse_completion", broken)
    response = await gateway.client.post(PATH, json=chat("hi"))
    assert response.status_code == 500
    assert response.json() == {
        "error": {
            "message": "The server had an error while processing your request.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }
    assert response.headers["x-should-retry"] == "false"


def test_a_failure_that_says_when_to_come_back_was_not_spent() -> None:
    assert errors.fault_of_failure(Failed("queue.timeout", retry_after=3)).again
    assert not errors.fault_of_failure(Failed("upstream.internal")).again


def test_a_limit_of_seconds_is_no_spent_quota() -> None:
    fault = errors.fault_of_failure(Failed("account.throttled", retry_after=30))
    assert (fault.status, fault.type, fault.code) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert (fault.again, fault.retry_after) == (True, 30)
    fault = errors.fault_of_failure(Failed("account.throttled", retry_after=24 * 3600))
    assert (fault.status, fault.type, fault.code) == (429, "insufficient_quota", "insufficient_quota")


@pytest.mark.parametrize("reason", ["account.none", "upstream.busy"])
def test_a_request_whose_tries_are_used_up_is_not_repeated(reason: str) -> None:
    response = errors.fault_of_failure(Failed(reason, retry_after=5, exhausted=True)).response()
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.headers["x-should-retry"] == "false"
    response = errors.fault_of_failure(Failed(reason, retry_after=5)).response()
    assert response.headers["x-should-retry"] == "true"


def test_where_no_account_can_be_asked_the_error_says_so() -> None:
    fault = errors.fault_of_failure(Failed("account.none", retry_after=30))
    assert (fault.status, fault.type, fault.code) == (503, "service_unavailable", "account.none")
    assert (fault.message, fault.retry_after) == ("No upstream account can be asked.", 30)


def test_an_invalid_request_has_the_servers_own_words() -> None:
    fault = errors.fault_of_failure(Failed("question.invalid", detail="Unsupported value: 'top_k'.", param="top_k"))
    assert fault.param == "top_k"
    assert (fault.status, fault.type, fault.message, fault.again) == (
        400,
        "invalid_request_error",
        "Unsupported value: 'top_k'.",
        False,
    )


@pytest.mark.parametrize(
    ("failed", "type_", "code"),
    [
        # Paid for: nobody may ask again.
        (Failed("interrupted"), "invalid_request_error", "invalid_prompt"),
        (Failed("timeout.first"), "invalid_request_error", "invalid_prompt"),
        (Failed("somebodys.own"), "invalid_request_error", "invalid_prompt"),
        # Of no use.
        (Failed("question.refused"), "invalid_request_error", "invalid_prompt"),
        (Failed("session.toolong"), "invalid_request_error", "context_length_exceeded"),
        (Failed("account.none", retry_after=5, exhausted=True), "invalid_request_error", "invalid_prompt"),
        (Failed("account.throttled", retry_after=24 * 3600), "insufficient_quota", "insufficient_quota"),
        (Failed("account.throttled", retry_after=61), "insufficient_quota", "insufficient_quota"),
        # It costs nothing, and may help.
        (Failed("account.throttled", retry_after=5), "rate_limit_error", "rate_limit_exceeded"),
        (Failed("queue.timeout", retry_after=5), "service_unavailable", "queue.timeout"),
    ],
)
def test_a_stream_has_a_type_and_a_code_that_clients_repeat_only_if_they_may(
    failed: Failed, type_: str, code: str
) -> None:
    fault = errors.fault_of_failure(failed)
    assert (fault.streamed.error.type, fault.response_code) == (type_, code)
    assert (fault.streamed.error.code, fault.streamed.error.message) == (fault.code, fault.message)


@pytest.mark.parametrize("reason", [reason for reason, spec in ERRORS.items() if spec.status != 503])
def test_what_may_be_paid_for_is_not_repeated_by_clients_that_read_streams(reason: Reason) -> None:
    """Decide as the AI SDK and Codex do, by what their released packages look for."""
    fault = errors.fault_of_failure(Failed(reason))
    assert fault.response().headers["x-should-retry"] == "false"
    assert not ai_sdk_repeats(fault.streamed.error.type, fault.streamed.error.code or "")
    assert not ai_sdk_repeats("response.failed", fault.response_code)
    assert fault.response_code in CODEX_GIVES_UP


@pytest.mark.parametrize("reason", ["account.none", "account.throttled", "queue.timeout", "upstream.busy"])
def test_what_cost_nothing_may_be_repeated_by_clients_that_read_streams(reason: str) -> None:
    fault = errors.fault_of_failure(Failed(reason, retry_after=5))
    assert fault.response().headers["x-should-retry"] == "true"
    assert ai_sdk_repeats(fault.streamed.error.type, fault.streamed.error.code or "")
    assert ai_sdk_repeats("response.failed", fault.response_code)
    assert fault.response_code not in CODEX_GIVES_UP


def test_a_stream_that_is_cut_is_not_repeated_since_its_question_was_accepted() -> None:
    assert errors.fault_of(DrainingError()).repeatable
    assert not errors.fault_in_stream(DrainingError()).repeatable


async def test_an_error_has_little_of_a_request_that_has_megabytes(gateway: RunningGateway) -> None:
    """Whoever doesn't read them would have each of them in memory."""
    tool = {"type": "function", "function": {"name": "f"}}
    choice = {"type": "function", "function": {"name": "x" * 1_000_000}}
    response = await gateway.client.post(PATH, json=chat("hi") | {"tools": [tool], "tool_choice": choice})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "tool_choice")
    assert "isn't there: 'xxx" in response.text
    assert len(response.content) < 4096
