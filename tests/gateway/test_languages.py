"""Each error in the client's language, at each endpoint and inside streams."""

import json
from typing import Any

import pytest

from gateway.errors import ERRORS
from tests.support.gateway.harness import RunningGateway
from wire.messages import Delta, Failed
from wire.reasons import Reason

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

ASK = {"style": "balanced", "question": "fail"}
LANGUAGES = [pytest.param({}, False, id="chinese"), pytest.param({"Accept-Language": "en"}, True, id="english")]
FAILURES = [
    (Failed(Reason.ACCOUNT_THROTTLED, retry_after=7200), 120),
    (Failed(Reason.UPSTREAM_INTERNAL), 500),
    (Failed(Reason.ACCOUNT_NONE, retry_after=5), 503),
]


def sentence(reason: str, english: bool) -> str:
    return ERRORS[Reason(reason)].text(english)


def last_event(text: str) -> Any:
    return json.loads([line for line in text.splitlines() if line.startswith("data: ")][-1].removeprefix("data: "))


@pytest.mark.parametrize(("headers", "english"), LANGUAGES)
@pytest.mark.parametrize(("event", "code"), FAILURES)
async def test_a_failed_answer_over_http(
    gateway: RunningGateway, event: Failed, code: int, headers: dict[str, str], english: bool
) -> None:
    gateway.worker.scripts["fail"] = (event,)
    message = sentence(event.reason, english)
    expected = {"code": code, "message": message}
    whole = await gateway.client.get("/api", params=ASK, headers=headers)
    assert whole.json() == expected
    assert (await gateway.client.get("/image", params={"keyword": "fail"}, headers=headers)).json() == expected
    assert last_event((await gateway.client.get("/api_stream", params=ASK, headers=headers)).text) == expected
    path = f"/answers/{whole.headers['x-answer-id']}"
    error = (await gateway.client.get(path, headers=headers)).json()["data"]["error"]
    assert (error["code"], error["message"], error["reason"]) == (code, message, event.reason)
    assert last_event((await gateway.client.get(f"{path}/stream", headers=headers)).text) == expected


@pytest.mark.parametrize(("headers", "english"), LANGUAGES)
@pytest.mark.parametrize(("event", "code"), FAILURES)
async def test_a_failed_answer_over_a_socket(
    gateway: RunningGateway, event: Failed, code: int, headers: dict[str, str], english: bool
) -> None:
    gateway.worker.scripts["fail"] = (Delta("half"), event) if event.retry_after is None else (event,)
    message = sentence(event.reason, english)
    for path in ("/ws", "/ws_stream"):
        async with gateway.socket(path, additional_headers=headers) as socket:
            await socket.send(json.dumps(ASK))
            while "data" in (frame := json.loads(await socket.recv())):
                pass
            assert frame == {"code": code, "message": message}
    async with gateway.socket("/ws_stream", subprotocols=["bing-chat.v2"], additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "ask", "id": "1", **ASK}))
        while (frame := json.loads(await socket.recv()))["type"] != "failed":
            pass
        assert (frame["code"], frame["message"], frame["reason"]) == (code, message, event.reason)


@pytest.mark.parametrize(("headers", "english"), LANGUAGES)
async def test_a_refusal(gateway: RunningGateway, headers: dict[str, str], english: bool) -> None:
    unknown = "s0-" + "0" * 32
    for method, path, reason, params in (
        ("GET", "/api", Reason.REQUEST_EMPTY, {}),
        ("GET", "/api_stream", Reason.REQUEST_STYLE, ASK | {"style": "loud"}),
        ("GET", "/api", Reason.TOKEN_UNKNOWN, ASK | {"token": unknown}),
        ("GET", "/api_stream", Reason.TOKEN_UNKNOWN, ASK | {"token": unknown}),
        ("GET", "/image", Reason.REQUEST_KEYWORD, {"keyword": "猫"}),
        ("GET", "/nothing", Reason.REQUEST_PATH, {}),
        ("PUT", "/api", Reason.REQUEST_METHOD, {}),
        ("GET", f"/answers/{unknown}", Reason.ANSWER_UNKNOWN, {}),
        ("GET", f"/answers/{unknown}/stream", Reason.ANSWER_UNKNOWN, {}),
    ):
        response = await gateway.client.request(method, path, params=params, headers=headers)
        assert response.json()["message"] == sentence(reason, english)
    for path in ("/ws", "/ws_stream"):
        async with gateway.socket(path, additional_headers=headers) as socket:
            await socket.send(json.dumps(ASK | {"token": unknown}))
            assert json.loads(await socket.recv()) == {
                "code": 120,
                "message": sentence(Reason.TOKEN_UNKNOWN, english),
            }


@pytest.mark.parametrize(("headers", "english"), LANGUAGES)
async def test_a_gateway_that_drains(gateway: RunningGateway, headers: dict[str, str], english: bool) -> None:
    with gateway.active_requests.track_socket(lambda: None):
        gateway.active_requests.drain()
        for path in ("/api", "/api_stream"):
            response = await gateway.client.get(path, params=ASK, headers=headers)
            assert response.json() == {"code": 503, "message": sentence(Reason.GATEWAY_DRAINING, english)}


@pytest.mark.parametrize(("headers", "english"), LANGUAGES)
async def test_what_nobody_expects(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], english: bool
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.legacy.params.parse_question", broken)
    for path in ("/api", "/api_stream"):
        response = await gateway.client.get(path, params=ASK, headers=headers)
        assert response.json() == {"code": 500, "message": sentence(Reason.INTERNAL, english)}
