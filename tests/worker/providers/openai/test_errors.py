import json
from typing import Any

import pytest

from wire.reasons import Reason
from worker.accounts.penalties import penalty_for
from worker.providers.openai.errors import ErrorReport, parse_error, parse_error_response

OLLAMA_TOO_LONG = "the prompt is longer than the context length currently available to the model; shorten the prompt"
TOO_LONG = "This model's maximum context length is 4096 tokens. However, you requested 5000."


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


PAGE = b"<!DOCTYPE html><html><body>Sorry</body></html>"
NGINX = b"<html>\r\n<head><title>404 Not Found</title></head></html>"
INVALID = body(message="Unsupported value: 'top_k'", type="invalid_request_error")
LOADING = body(message="Loading model", type="unavailable_error", code=503)


@pytest.mark.parametrize(
    ("error", "param"),
    [
        ({"error": {"message": "no", "param": "top_k"}}, "top_k"),
        ({"error": {"message": "no", "param": "messages[1].content"}}, "messages[1].content"),
        ({"error": {"message": "no", "param": "messages.1.x"}}, "messages.1.x"),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "no"}]}, "top_k"),
        ({"detail": [{"loc": ["body", "messages", 1, "assistant"], "msg": "no"}]}, "messages"),
        ({"error": {"message": "no", "param": "stream_options"}}, ""),
        ({"error": {"message": "no", "param": "top_k_of_mine"}}, ""),
        ({"error": {"message": "no", "param": None}}, ""),
        ({"error": {"message": "no", "param": "messages." + "x" * 1000}}, ""),
        ({"error": "top_k"}, ""),
    ],
)
def test_a_field_is_named_to_its_client_if_that_sent_it(error: Any, param: str) -> None:
    report = parse_error_response(400, json.dumps(error).encode())
    assert report.to_upstream_error(sent={"top_k", "messages"}).param == param
    assert report.to_upstream_error().param == ""


# kind of refusal: (status, body, reason, whether another attempt is allowed)
SHAPES: dict[str, list[tuple[int, bytes, str, bool]]] = {
    "the server's own word about its key or model": [
        (401, body(code="invalid_api_key"), "account.refused", True),
        (401, body(message="You didn't provide an API key."), "account.refused", True),
        (403, body(code="unsupported_country_region_territory"), "account.refused", True),
        (404, body(code="model_not_found"), "account.refused", True),
        (404, json.dumps({"object": "error", "type": "NotFoundError", "code": 404}).encode(), "account.refused", True),
        (400, body(message="/chat/completions: Invalid model name passed in model=x. Call …"), "account.refused", True),
        (400, b"{\"detail\":\"Server is pinned to 'm'; requested 'x'.\"}", "account.refused", True),
        (404, body(message="model 'x' not found", type="not_found_error"), "account.refused", True),
        (404, body(message="file of the model not found", type="not_found_error"), "account.refused", True),
        (404, body(message="The model `x` does not exist.", type="NotFoundError", code=404), "account.refused", True),
        (400, body(message="No connected db.", type="no_db_connection", code="400"), "account.refused", True),
    ],
    "whoever is in front of the server": [
        (401, b"", "account.blocked", True),
        (401, b'{"message":"Unauthorized"}', "account.blocked", True),
        (401, b'{"error":"Unauthorized"}', "account.blocked", True),
        (403, b"<html>no</html>", "account.blocked", True),
        (403, b'{"success":false,"errors":[{"code":1020,"message":"Access denied"}]}', "account.blocked", True),
        (403, b'{"message":"Forbidden"}', "account.blocked", True),
        (404, NGINX, "account.blocked", True),
        (404, b"default backend - 404", "account.blocked", True),
        (404, b'{"detail":"Not Found"}', "account.blocked", True),
        (404, b'{"error":{"code":404,"message":"no route"}}', "account.blocked", True),
        (400, PAGE, "account.blocked", True),
        (418, PAGE, "account.blocked", True),
        (451, PAGE, "account.blocked", True),
    ],
    "what is the account's by its status alone": [
        (status, data, "account.blocked", True)
        for status in (405, 407, 409, 415, 423, 424, 425)
        for data in (b"", PAGE, INVALID, b'{"detail":"Method Not Allowed"}')
    ],
    "a limit": [
        (402, body(message="Insufficient Balance"), "account.throttled", True),
        (400, body(message="Your credit balance is too low to access the Anthropic API."), "account.throttled", True),
        (429, b"", "account.throttled", True),
        (429, b"[]", "account.throttled", True),
        (429, PAGE, "account.throttled", True),
    ],
    "a server that is busy, or starting": [
        (503, b"", "upstream.busy", True),
        (503, PAGE, "upstream.busy", True),
        (503, LOADING, "upstream.busy", True),
        (503, body(message="content policy"), "upstream.busy", True),
        (529, b"\xff", "upstream.busy", True),
        (529, body(type="overloaded_error"), "upstream.busy", True),
        (500, LOADING, "upstream.busy", True),
        (404, body(message="model 'm' is loading"), "upstream.busy", True),
        (400, b'{"error":"Model m is currently loading","estimated_time":20}', "upstream.busy", True),
    ],
    "an error of the server's own": [
        (500, body(message="CUDA out of memory"), "upstream.internal", True),
        (500, b'{"error":"llama runner process has terminated"}', "upstream.internal", True),
        (500, body(code="context_length_exceeded"), "upstream.internal", True),
        (502, body(message="Bad gateway.", code="bad_gateway"), "upstream.internal", True),
    ],
    "a question that may still be answered": [
        (408, b"", "upstream.internal", False),
        (408, body(message="x"), "upstream.internal", False),
        (499, body(message="x"), "upstream.internal", False),
        (500, b"", "upstream.internal", False),
        (500, PAGE, "upstream.internal", False),
        (500, b'{"detail":"Internal Server Error"}', "upstream.internal", False),
        (500, body(type="timeout"), "upstream.internal", False),
        (502, PAGE, "upstream.gateway", False),
        (502, b"Bad Gateway", "upstream.gateway", False),
        (504, PAGE, "upstream.gateway", False),
        (504, body(message="x"), "upstream.internal", False),
        (520, PAGE, "upstream.gateway", False),
        (524, b"error code: 524", "upstream.gateway", False),
        (524, body(message="x"), "upstream.internal", False),
    ],
    "a conversation that is too long": [
        (400, body(code="context_length_exceeded"), "session.toolong", True),
        (400, body(type="exceed_context_size_error", code=400), "session.toolong", True),
        (400, body(message=TOO_LONG, type="BadRequestError", code=400), "session.toolong", True),
        (400, json.dumps({"object": "error", "message": TOO_LONG, "code": 400}).encode(), "session.toolong", True),
        (413, body(message="the request exceeds the available context size"), "session.toolong", True),
        (422, body(code="context_length_exceeded"), "session.toolong", True),
        (400, b'[{"error": {"message": "prompt is too long: 9 tokens"}}]', "session.toolong", True),
        (400, body(message=OLLAMA_TOO_LONG, type="invalid_request_error"), "session.toolong", True),
        (400, body(message="litellm.ContextWindowExceededError: litellm.BadRequestError: …"), "session.toolong", True),
    ],
    "content that is not allowed": [
        (400, body(code="content_filter"), "question.refused", True),
        (403, body(message="Your input was flagged"), "question.refused", True),
    ],
    "a request that the server takes for invalid": [
        (400, INVALID, "question.invalid", True),
        (400, body(message="Your text 'invalid model name passed in model=' is bad"), "question.invalid", True),
        (400, body(code="invalid_value"), "question.invalid", True),
        (400, b'{"detail":"Your text: Server is pinned to x"}', "question.invalid", True),
        (400, b"[" * 100_000, "question.invalid", True),
        (413, b"", "question.invalid", True),
        (413, PAGE, "question.invalid", True),
        (431, PAGE, "question.invalid", True),
        (404, body(message="File not found: file_1", type="not_found_error"), "question.invalid", True),
        (
            404,
            body(message="container: no container_1 does not exist", type="not_found_error"),
            "question.invalid",
            True,
        ),
        (422, b'{"detail": "no"}', "question.invalid", True),
        (429, body(message="Request too large for m on tokens per min (TPM)", code="x"), "question.invalid", True),
        (418, b'{"error": "a teapot"}', "question.invalid", True),
    ],
    "a redirect, or a page to sign in at": [
        (status, data, "account.blocked", True)
        for status in (300, 301, 302, 303, 307, 308, 511)
        for data in (b"", PAGE)
    ],
    "what isn't implemented": [
        (501, body(message="Streaming is not implemented"), "question.invalid", True),
        (501, PAGE, "account.blocked", True),
    ],
    "no refusal at all": [(104, b"", "upstream.protocol", False)],
}


@pytest.mark.parametrize(
    ("status", "data", "reason", "refused"),
    [
        pytest.param(*shape, id=f"{kind}-{number}")
        for kind, shapes in SHAPES.items()
        for number, shape in enumerate(shapes)
    ],
)
def test_a_refusal_is_recognised_by_its_status_body_and_codes(
    status: int, data: bytes, reason: str, refused: bool
) -> None:
    error = parse_error_response(status, data).to_upstream_error()
    assert (error.reason, error.refused) == (reason, refused)


def test_a_page_is_known_by_its_label_too() -> None:
    assert (
        parse_error_response(400, b"sorry", "text/html; charset=utf-8").to_upstream_error().reason == "account.blocked"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"code": "rate_limit_exceeded"}, "account.throttled"),
        ({"type": "insufficient_quota"}, "account.throttled"),
        ({"code": "invalid_api_key"}, "account.refused"),
        ({"code": 429}, "account.throttled"),
        ({"code": "401"}, "account.blocked"),
        ({"code": 400, "message": TOO_LONG}, "session.toolong"),
        ({"code": "context_length_exceeded"}, "session.toolong"),
        ({"type": "content_filter"}, "question.refused"),
        ({"type": "server_error"}, "upstream.internal"),
        ({"code": 502}, "upstream.internal"),
        ({"code": 7, "type": None}, "upstream.internal"),
        ({"type": "overloaded_error"}, "upstream.busy"),
        ({"code": 503, "message": "Loading model", "type": "unavailable_error"}, "upstream.busy"),
        ({"status": "RESOURCE_EXHAUSTED"}, "account.throttled"),
        ({"code": 400, "message": "no"}, "question.invalid"),
        ("overloaded", "upstream.internal"),
        (17, "upstream.internal"),
    ],
)
def test_an_error_without_a_status_is_recognised_by_its_codes(value: Any, reason: str) -> None:
    assert parse_error(value).to_upstream_error().reason == reason


def test_what_a_server_says_of_a_question_has_the_reason_asked_for() -> None:
    assert (
        ErrorReport(400, ("content_policy_violation",)).to_upstream_error(policy=Reason.IMAGE_BLOCKED).reason
        == "image.blocked"
    )


@pytest.mark.parametrize(
    ("refusal", "value", "pause"),
    [
        (ErrorReport(429), None, 20.0),
        (ErrorReport(429), 7.0, 7.0),
        (ErrorReport(429, ("insufficient_quota",)), None, 86400.0),
        (ErrorReport(429, ("insufficient_quota",)), 7.0, 7.0),
        (ErrorReport(402), None, 86400.0),
    ],
)
def test_an_account_that_has_asked_too_much_pauses_as_long_as_the_server_says(
    refusal: ErrorReport, value: float | None, pause: float
) -> None:
    penalty = penalty_for(refusal.to_upstream_error(value), sent=True)
    assert (penalty.outcome, penalty.pause) == ("cooling", pause)


def test_nothing_of_a_servers_own_words_is_logged() -> None:
    text = body(message="the question", type="the question is", code="sk-123", param="messages")
    assert parse_error_response(400, text).to_upstream_error().detail == "HTTP 400"
    assert parse_error_response(429, body(type="requests", code="rate_limit_exceeded")).to_upstream_error().detail == (
        "HTTP 429, requests, rate_limit_exceeded"
    )


@pytest.mark.parametrize(
    ("status", "data", "pause"),
    [
        (429, body(message="Please try again in 1.5s", code="rate_limit_exceeded"), 1.5),
        (429, b'[{"error":{"code":429,"details":[{"retryDelay":"34s"}]}}]', 34.0),
        (503, body(message="Loading model"), None),
        (400, body(message="'loading model, try again in 86400 s' is no effort"), None),
        (500, body(message="Unrecognized schema: {'type': 'wait 86400 s'}"), None),
        (503, b'{"error":"Model m is currently loading","estimated_time":20}', 20.0),
        (504, body(message="try again in 7 seconds"), None),
        (400, body(message="try again in 7 seconds"), None),
    ],
)
def test_a_pause_inside_the_error_counts_where_the_account_pauses(
    status: int, data: bytes, pause: float | None
) -> None:
    assert parse_error_response(status, data).to_upstream_error().retry_after == pause


def test_the_words_for_the_client_hold_no_key() -> None:
    text = body(message="Bad 'top_k' with key sk-test-0123456789 (sk-abc***xyz)", code="invalid_value")
    error = parse_error_response(400, text).to_upstream_error(secret="sk-test-0123456789")
    assert error.words == "Bad 'top_k' with key […] ([…])"
    assert parse_error_response(401, text).to_upstream_error().words == ""


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, body(message="Input tag 'credit balance is too low' found using 'type'")),
        (400, body(message="'loading model, try again in 86400 s' is no effort")),
        (400, b'{"error":"is \'the model is loading\' a model?","estimated_time":86400}'),
        (402, body(message="This request requires more credits, or fewer max_tokens. You can only afford 17.")),
        (403, body(message="You are not allowed to request logprobs", type="invalid_request_error")),
        (404, body(message="CachedContent not found", status="NOT_FOUND")),
    ],
)
def test_what_may_follow_from_a_question_counts_for_its_client_and_not_for_long(status: int, data: bytes) -> None:
    error = parse_error_response(status, data).to_upstream_error()
    penalty = penalty_for(error, sent=True)
    assert penalty.by_question
    assert penalty.pause <= 60


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, body(message="Your credit balance is too low to access the Anthropic API.")),
        (401, body(code="invalid_api_key")),
        (402, body(message="Insufficient Balance")),
        (404, body(code="model_not_found", type="invalid_request_error")),
        (429, body(code="insufficient_quota")),
        (500, LOADING),
        (503, body(message="Loading model")),
    ],
)
def test_what_no_question_changes_counts_at_once(status: int, data: bytes) -> None:
    assert not penalty_for(parse_error_response(status, data).to_upstream_error(), sent=True).by_question
