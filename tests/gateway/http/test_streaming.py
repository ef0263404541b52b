"""What uvicorn keeps for a connection: while it is open, and afterwards."""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlencode

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from gateway.answering.drain import ActiveRequest
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, received
from wire.messages import Delta, Final

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

ASK = {"style": "balanced", "question": "hello"}
TARGET = f"/api_stream?{urlencode(ASK)}"
KEPT = (HttpToolsProtocol, RequestResponseCycle, WSProtocol, ActiveRequest)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nothing refers to any more is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept(*kinds: type) -> int:
    """How many objects of these kinds there are."""
    return sum(issubclass(type(thing), kinds) for thing in gc.get_objects())


async def ask(gateway: RunningGateway) -> None:
    assert b"success" in await gateway.get(f"/api?{urlencode(ASK)}")


async def stream(gateway: RunningGateway) -> None:
    assert b'"done": true' in await gateway.get(TARGET)


async def event_source(gateway: RunningGateway) -> None:
    assert b'"done": true' in await gateway.get(TARGET, "Accept: text/event-stream")


async def chat(gateway: RunningGateway) -> None:
    body = json.dumps({"model": "bing-balanced", "stream": True, "messages": [{"role": "user", "content": "hello"}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    assert b"[DONE]" in await gateway.raw((head + body).encode())


async def leave(gateway: RunningGateway) -> None:
    """Hang up amid the answer."""
    with closing_gate() as gate:
        gateway.worker.scripts["hello"] = [Delta("a"), gate, Final("a")]
        async with gateway.client.stream("GET", TARGET, headers={"connection": "close"}) as response:
            async for _ in response.aiter_bytes():
                break
        await until(lambda: gateway.turns.running == 0)


async def socket(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream") as found:
        await found.send(json.dumps(ASK))
        assert (await received(found))[-1]["data"]["done"]


async def dialogue(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream", subprotocols=["bing-chat.v2"]) as found:
        await found.send(json.dumps({"type": "ask", "id": "1", **ASK}))
        while json.loads(await found.recv())["type"] != "final":
            pass


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("come", [ask, stream, event_source, chat, leave, socket, dialogue])
async def test_nothing_of_a_question_that_is_over_waits_for_the_collector(
    gateway: RunningGateway, come: Callable[[RunningGateway], Awaitable[None]]
) -> None:
    before = kept(*KEPT)
    for _ in range(3):
        await come(gateway)
    await until(lambda: kept(*KEPT) <= before)


@pytest.mark.usefixtures("no_collector")
async def test_an_open_socket_keeps_nothing_of_the_request_that_opened_it(gateway: RunningGateway) -> None:
    before = kept(HttpToolsProtocol)
    async with gateway.socket("/ws_stream"):
        assert kept(WSProtocol) == 1
        assert kept(HttpToolsProtocol) == before


async def test_requests_that_come_while_one_is_answered_are_answered_in_their_order(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hello"] = [gate, Final("first")]
        requests = [(f"/api?{urlencode(ASK)}", ""), ("/healthz", ""), ("/readyz", "Connection: close\r\n")]
        lines = [
            f"GET {target} HTTP/1.1\r\nHost: g\r\nX-Request-ID: {number}\r\n{more}\r\n"
            for number, (target, more) in enumerate(requests)
        ]
        answering = asyncio.create_task(gateway.raw("".join(lines).encode()))
        await until(lambda: bool(gateway.worker.asked))
        gate.set()
        found = await answering
    assert [line[-1:] for line in found.split(b"\r\n") if line.startswith(b"x-request-id")] == [b"0", b"1", b"2"]
