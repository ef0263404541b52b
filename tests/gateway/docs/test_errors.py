"""Errors as clients really get them, held against the document; those that depend on a setting too."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.docs import openapi
from gateway.settings import GatewaySettings
from tests.support.api_document import Document
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, Step, closing_gate, running, settings
from wire.messages import Failed
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

ASKED = {"style": "balanced", "question": "hello"}
SAID = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hello"}]}
MESSAGE = SAID | {"max_tokens": 9}
VERSION = {"anthropic-version": "2023-06-01"}
LARGE = {"x-large": "x" * 65536}
DOCUMENT = Document(openapi.document())
UNKNOWN = "s0-" + "0" * 32


async def send(gateway: RunningGateway, method: str, path: str, address: str = "", **request: Any) -> int:
    """The status of a response that is documented."""
    response = await gateway.client.request(method, address or path, **request)
    DOCUMENT.response(method.lower(), path, response)
    return response.status_code


async def test_what_is_wrong_with_a_request(gateway: RunningGateway) -> None:
    for fields in ({}, {"style": "loud", "question": "hello"}, ASKED | {"token": UNKNOWN}):
        for path in ("/api", "/api_stream"):
            assert await send(gateway, "GET", path, params=fields) == 200
            assert await send(gateway, "POST", path, json=fields) == 200
    for path in ("/api", "/api_stream", "/image"):
        assert await send(gateway, "POST", path, content=b"[") == 200
        assert await send(gateway, "POST", path, content=b"x" * 2**20 + b"x") == 413
        assert await send(gateway, "POST", path, content=b"x", headers={"content-encoding": "gzip"}) == 415
        key = {"idempotency-key": "short"}
        assert await send(gateway, "GET", path, params=ASKED | {"keyword": "a"}, headers=key) == 422
        assert await send(gateway, "GET", path, f"{gateway.address}{path}?question={'问' * 10_000}") == 414
        assert await send(gateway, "POST", path, f"{gateway.address}{path}?question={'问' * 10_000}") == 414
        assert await send(gateway, "GET", path, headers=LARGE) == 431
        assert await send(gateway, "POST", path, headers=LARGE) == 431
    assert await send(gateway, "GET", "/image", params={"keyword": "猫"}) == 200


async def test_answers_that_nobody_knows(gateway: RunningGateway) -> None:
    for method in ("GET", "DELETE"):
        assert await send(gateway, method, "/answers/{answer}", f"/answers/{UNKNOWN}") == 404
    assert await send(gateway, "GET", "/answers/{answer}/stream", f"/answers/{UNKNOWN}/stream") == 404
    assert await send(gateway, "GET", "/answers/{answer}/stream", f"/answers/{UNKNOWN}/stream?after=x") == 200
    assert await send(gateway, "GET", "/v1/responses/{response}", f"/v1/responses/resp_{UNKNOWN}") == 404
    assert await send(gateway, "POST", "/v1/responses/{response}/cancel", f"/v1/responses/resp_{UNKNOWN}/cancel") == 404
    assert await send(gateway, "GET", "/v1/models/{model}", "/v1/models/gpt") == 404


async def test_what_is_wrong_with_a_request_under_v1(gateway: RunningGateway) -> None:
    chat, refused = "/v1/chat/completions", [{}, SAID | {"tools": [{}]}, SAID | {"messages": []}, SAID | {"n": 2}]
    for body in refused:
        assert await send(gateway, "POST", chat, json=body) == 400
    assert await send(gateway, "POST", chat, json=SAID | {"model": "gpt"}) == 404
    for path in (chat, "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations"):
        assert await send(gateway, "POST", path, content=b"x") == 400
        assert await send(gateway, "POST", path, content=b"x" * 2**23 + b"x") == 413
        assert await send(gateway, "POST", path, content=b"x", headers={"content-encoding": "gzip"}) == 415
        assert await send(gateway, "POST", path, f"{gateway.address}{path}?{'问' * 10_000}") == 414
        assert await send(gateway, "POST", path, headers=LARGE) == 431
    again = {"idempotency-key": "a key that is long enough"}
    assert await send(gateway, "POST", chat, json=SAID, headers=again) == 200
    other = SAID | {"messages": [{"role": "user", "content": "another"}]}
    assert await send(gateway, "POST", chat, json=other, headers=again) == 422


async def test_what_is_wrong_with_a_request_for_a_message(gateway: RunningGateway) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert await send(gateway, "POST", path, json=MESSAGE) == 200
        assert await send(gateway, "POST", path, json=MESSAGE | {"messages": []}) == 400
        assert await send(gateway, "POST", path, json=MESSAGE | {"model": "gpt"}) == 404
        assert await send(gateway, "POST", path, content=b"x" * 2**23 + b"x") == 413
        assert await send(gateway, "POST", path, content=b"x", headers={"content-encoding": "br"}) == 415
        assert await send(gateway, "POST", path, f"{gateway.address}{path}?{'问' * 10_000}") == 414
        assert await send(gateway, "POST", path, headers=LARGE) == 431
    assert await send(gateway, "POST", "/v1/messages", json=MESSAGE | {"stream": True}) == 200
    assert await send(gateway, "POST", "/v1/messages", json=MESSAGE, headers={"idempotency-key": "short"}) == 422
    assert await send(gateway, "GET", "/v1/models", headers=VERSION) == 200
    assert await send(gateway, "GET", "/v1/models", "/v1/models?limit=0", headers=VERSION) == 400
    assert await send(gateway, "GET", "/v1/models/{model}", "/v1/models/gpt", headers=VERSION) == 404


@pytest.mark.parametrize(("headers", "status"), [({"origin": "https://a.example"}, 403), ({"host": "a.example"}, 421)])
async def test_pages_and_names_that_are_not_served(
    gateway: RunningGateway, headers: dict[str, str], status: int
) -> None:
    for path in ("/api", "/api_stream", "/image"):
        assert await send(gateway, "GET", path, headers=headers) == status
        assert await send(gateway, "POST", path, headers=headers) == status
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"):
        assert await send(gateway, "POST", path, json={}, headers=headers) == status
    assert await send(gateway, "GET", "/answers/{answer}", f"/answers/{UNKNOWN}", headers=headers) == status
    assert await send(gateway, "GET", "/v1/models", headers=headers) == status


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Failed("interrupted"), 500),
        (Failed("timeout.first"), 504),
        (Failed("account.throttled", retry_after=3600), 429),
        (Failed("account.none", retry_after=5), 529),
        (Failed("question.refused"), 400),
    ],
    ids=lambda value: value.reason if isinstance(value, Failed) else "",
)
async def test_messages_that_fail(gateway: RunningGateway, event: Failed, status: int) -> None:
    gateway.worker.scripts["hello"] = (event,)
    for body in (MESSAGE, MESSAGE | {"stream": True}):
        assert await send(gateway, "POST", "/v1/messages", json=body) == status


@pytest.mark.parametrize(
    ("event", "statuses"),
    [
        (Failed("timeout.first", provider="edgegpt"), (500, 500)),
        (Failed("account.throttled", retry_after=3600), (200, 429)),
        (Failed("account.none", retry_after=5), (503, 503)),
        (Failed("question.refused"), (500, 400)),
    ],
    ids=lambda value: value.reason if isinstance(value, Failed) else "",
)
async def test_answers_that_fail(gateway: RunningGateway, event: Failed, statuses: tuple[int, int]) -> None:
    script: Sequence[Step] = (event,)
    gateway.worker.scripts |= {"hello": script, "cat": script}
    own, v1 = statuses
    assert await send(gateway, "GET", "/api", params=ASKED) == own
    assert await send(gateway, "GET", "/image", params={"keyword": "cat"}) == own
    assert await send(gateway, "GET", "/api_stream", params=ASKED) == 200
    assert await send(gateway, "POST", "/v1/chat/completions", json=SAID) == v1
    assert await send(gateway, "POST", "/v1/chat/completions", json=SAID | {"stream": True}) == v1
    response = {"model": "bing-balanced", "input": "hello"}
    assert await send(gateway, "POST", "/v1/responses", json=response) == v1
    assert await send(gateway, "POST", "/v1/images/generations", json={"prompt": "cat"}) == v1


def keyed(folder: Path) -> GatewaySettings:
    file = folder / "keys"
    file.write_text(f"alice {hashlib.sha256(b'secret').hexdigest()}\n")
    return settings(api_keys_file=file)


@pytest.mark.parametrize(
    ("make_settings", "status"),
    [(keyed, 401), (lambda _: settings(max_body=10, max_message=10), 413), (lambda _: settings(client_limit=1), 429)],
    ids=["API_KEYS_FILE", "MAX_BODY", "CLIENT_LIMIT"],
)
async def test_errors_that_depend_on_a_setting(
    store: Store, tmp_path: Path, make_settings: Callable[[Path], GatewaySettings], status: int
) -> None:
    async with running(store, make_settings(tmp_path)) as gateway:
        with closing_gate() as gate:
            if status == 429:
                gateway.worker.scripts["held"] = (gate, Failed("interrupted"))
                stream = gateway.client.stream("GET", "/api_stream", params=ASKED | {"question": "held"})
                async with stream as held:
                    assert held.status_code == 200
                    await until(lambda: len(gateway.worker.asked) == 1)
                    await refused(gateway, status)
                    gate.set()
            else:
                await refused(gateway, status)


async def refused(gateway: RunningGateway, status: int) -> None:
    """All that asks is refused so."""
    for path in ("/api", "/api_stream"):
        assert await send(gateway, "POST", path, json=ASKED) == status
    assert await send(gateway, "POST", "/image", json={"keyword": "a red circle"}) == status
    assert await send(gateway, "POST", "/v1/chat/completions", json=SAID) == status
    assert await send(gateway, "POST", "/v1/responses", json={"model": "bing-precise", "input": "hello"}) == status
    assert await send(gateway, "POST", "/v1/messages", json=MESSAGE) == status
    assert await send(gateway, "POST", "/v1/images/generations", json={"prompt": "a red circle"}) == status
    if status == 401:
        for address in (f"/answers/{UNKNOWN}", f"/answers/{UNKNOWN}/stream"):
            assert await send(gateway, "GET", address.replace(UNKNOWN, "{answer}"), address) == status
        assert await send(gateway, "GET", "/v1/models") == status
        for path in ("/openapi.json", "/asyncapi.json", "/healthz"):
            assert await send(gateway, "GET", path) == 200


async def test_a_gateway_that_goes_down_says_when_to_come_back(gateway: RunningGateway) -> None:
    with gateway.active_requests.track_socket(lambda: None):
        gateway.active_requests.drain()
        await refused(gateway, 503)
        assert await send(gateway, "GET", "/readyz") == 503
