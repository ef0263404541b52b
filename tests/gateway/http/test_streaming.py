"""What an open stream or socket keeps, and the fall-back to uvicorn's own protocols."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from gateway.answering.drain import ActiveRequest
from gateway.auth.addresses import parse_networks
from gateway.http import streaming
from gateway.http.open_connections import OpenConnections
from gateway.http.streaming import SocketProtocol, StreamMiddleware, detach
from tests.support.conditions import until
from tests.support.gateway.connection import HANDSHAKE, ServerTransport, connected
from tests.support.gateway.harness import RunningGateway, closing_gate, received, running
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
in_memory = pytest.mark.parametrize("store_url", ["memory://"])

ASK = {"style": "balanced", "question": "hello"}
TARGET = f"/api_stream?{urlencode(ASK)}"
OF_A_CONNECTION = (HttpToolsProtocol, RequestResponseCycle, WSProtocol, ActiveRequest)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nothing refers to any more is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def count_alive(*kinds: type) -> int:
    """How many objects of these kinds there are."""
    return sum(issubclass(type(instance), kinds) for instance in gc.get_objects())


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
        await until(lambda: gateway.active_requests.running == 0)


async def socket(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream") as socket:
        await socket.send(json.dumps(ASK))
        assert (await received(socket))[-1]["data"]["done"]


async def dialogue(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream", subprotocols=["bing-chat.v2"]) as socket:
        await socket.send(json.dumps({"type": "ask", "id": "1", **ASK}))
        while json.loads(await socket.recv())["type"] != "final":
            pass


@in_memory
@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("come", [ask, stream, event_source, chat, leave, socket, dialogue])
async def test_nothing_of_a_question_that_is_over_waits_for_the_collector(
    gateway: RunningGateway, come: Callable[[RunningGateway], Awaitable[None]]
) -> None:
    before = count_alive(*OF_A_CONNECTION)
    for _ in range(3):
        await come(gateway)
    await until(lambda: count_alive(*OF_A_CONNECTION) <= before)


@in_memory
async def test_a_stream_has_one_task_and_ends_when_its_client_leaves(gateway: RunningGateway) -> None:
    before = asyncio.all_tasks()
    with closing_gate() as gate:
        gateway.worker.scripts["hello"] = [Delta("a"), gate, Final("a")]
        async with gateway.client.stream("GET", TARGET, headers={"connection": "close"}) as response:
            async for _ in response.aiter_bytes():
                break
            [serving] = [task for task in asyncio.all_tasks() - before if "run_asgi" in repr(task.get_coro())]
            others = asyncio.all_tasks() - before - {serving}
            assert not [task for task in others if "disconnect" in repr(task.get_coro())]
        await asyncio.wait([serving], timeout=10)
        assert serving.done()


@in_memory
@pytest.mark.usefixtures("no_collector")
async def test_an_open_socket_keeps_nothing_of_the_request_that_opened_it(gateway: RunningGateway) -> None:
    before = count_alive(HttpToolsProtocol)
    async with gateway.socket("/ws_stream"):
        assert count_alive(WSProtocol) == 1
        assert count_alive(HttpToolsProtocol) == before


@in_memory
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
        replies = await answering
    assert [line[-1:] for line in replies.split(b"\r\n") if line.startswith(b"x-request-id")] == [b"0", b"1", b"2"]


@in_memory
@pytest.mark.parametrize(
    "behind", [b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n" * 8, HANDSHAKE]
)
async def test_a_client_that_leaves_with_requests_behind_its_question_ends_that(
    gateway: RunningGateway, behind: bytes
) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hello"] = [gate, Final("first")]
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(f"GET /api?{urlencode(ASK)} HTTP/1.1\r\nHost: g\r\n\r\n".encode() + behind)
        await until(lambda: gateway.active_requests.running == 1)
        writer.close()
        await until(lambda: gateway.active_requests.running == 0)


async def test_a_socket_behind_a_request_does_not_take_its_connection() -> None:
    protocol, transport = connected()
    protocol.data_received(b"GET /slow HTTP/1.1\r\nHost: g\r\n\r\n" + HANDSHAKE)
    assert transport.get_protocol() is protocol
    assert transport.written == b""


async def test_a_socket_behind_an_answered_request_takes_its_connection() -> None:
    protocol, transport = connected()
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
    await until(lambda: b"HTTP/1.1 200 " in transport.written)
    protocol.data_received(HANDSHAKE)
    assert isinstance(transport.get_protocol(), SocketProtocol)


async def test_what_has_a_length_has_it_over_http_1_0_too(gateway: RunningGateway) -> None:
    head, _, body = (await gateway.raw(f"GET /api?{urlencode(ASK)} HTTP/1.0\r\n\r\n".encode())).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["code"] == 200
    head, _, body = (await gateway.raw(b"HEAD / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
    assert (b"content-length: " in head, body) == (True, b"")


async def nothing(*_: Any) -> Any:
    raise AssertionError


async def test_a_stream_runs_when_all_layers_have_returned() -> None:
    """The request's body is no longer held by then."""
    done: list[str] = []

    async def body() -> None:
        done.append("rest")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await detach(scope, body)
        done.append("layers")

    scope: Scope = {"type": "http", "headers": [(b"x-secret", b"question")], "query_string": b"question", "state": {}}
    await StreamMiddleware(app)(scope, nothing, nothing)
    assert done == ["layers", "rest"]
    assert (scope["headers"], scope["query_string"]) == ([], b"")


async def test_what_lasts_is_done_at_once_where_there_are_no_layers() -> None:
    done: list[str] = []

    async def body() -> None:
        done.append("rest")

    await detach({"state": {}}, body)
    assert done == ["rest"]


async def opened(
    connections: OpenConnections | None = None, client: str = "203.0.113.1"
) -> tuple[SocketProtocol, ServerTransport]:
    """Return a socket whose handshake is over, and its transport."""
    protocol, transport = connected(connections)
    protocol.data_received(HANDSHAKE.replace(b"Host: g", b"Host: g\r\nX-Forwarded-For: " + client.encode()))
    await until(lambda: transport.written.startswith(b"HTTP/1.1 101 "))
    reader = transport.get_protocol()
    assert isinstance(reader, SocketProtocol)
    return reader, transport


async def test_of_messages_that_nobody_takes_one_read_holds_no_more_than_its_bytes() -> None:
    """Tiny ones: each would take 250 bytes for its seven."""
    (reader, _), chunk = await opened(), b"\x81\x81\0\0\0\0x" * 36_000
    tracemalloc.start()
    reader.data_received(chunk)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2 * len(chunk)
    messages = [await reader.receive() for _ in range(36_000)]
    assert messages == [{"type": "websocket.receive", "text": "x"}] * 36_000


PART = b"\x01\xff" + (2**17).to_bytes(8) + b"\0\0\0\0" + b"x" * 2**17
LAST = b"\x80\x80\0\0\0\0"


async def test_what_has_arrived_of_a_message_takes_no_more_than_its_bytes() -> None:
    reader, _ = await opened()
    text = "\N{GRINNING FACE}" + "x" * 996
    chunk = b"\x01\xff" + (100 * len(text.encode())).to_bytes(8) + b"\0\0\0\0" + text.encode() * 100
    tracemalloc.start()
    reader.data_received(chunk)
    held = tracemalloc.get_traced_memory()[0]
    reader.data_received(LAST)
    waiting = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert max(held, waiting) < 1.5 * len(chunk)
    assert await reader.receive() == {"type": "websocket.receive", "text": text * 100}


async def test_a_client_with_many_large_messages_is_cut_off_and_others_are_not() -> None:
    connections = OpenConnections(1000, parse_networks("192.0.2.1"))
    greedy = [await opened(connections, "203.0.113.1") for _ in range(40)]
    for reader, _ in greedy:
        reader.data_received(PART)
    cut = [transport.closed for _, transport in greedy]
    assert cut == [False] * 32 + [True] * 8
    assert greedy[-1][1].written.endswith(b"\x88\x02\x03\xf5")
    for number in range(40):
        other, transport = await opened(connections, f"203.0.113.{number + 2}")
        other.data_received(PART)
        assert not transport.closed


@pytest.mark.parametrize("ending", ["it is taken", "its connection is lost", "it is too large"])
async def test_a_large_message_has_room_until(ending: str) -> None:
    connections, readers = OpenConnections(1000, parse_networks("192.0.2.1")), []
    for _ in range(100):
        reader, transport = await opened(connections, "203.0.113.1")
        readers.append(reader)
        reader.data_received(PART)
        assert not transport.closed
        if ending == "it is taken":
            reader.data_received(LAST)
            assert (await reader.receive())["text"] == "x" * 2**17
        if ending == "it is too large":
            reader.data_received(b"\x00" + (b"\xff" + (2**20).to_bytes(8) + b"\0\0\0\0" + b"x" * 2**20))
            assert transport.closed
        if ending != "it is taken":
            reader.connection_lost(None)


async def test_a_close_behind_messages_comes_in_its_order_and_pings_are_answered() -> None:
    reader, transport = await opened()
    reader.data_received(b"\x81\x81\0\0\0\0x" * 2 + b"\x89\x81\0\0\0\0p" + b"\x88\x82\0\0\0\0\x03\xe8")
    assert not transport.closed
    received = [(await reader.receive())["type"] for _ in range(3)]
    assert received == ["websocket.receive", "websocket.receive", "websocket.disconnect"]
    assert b"\x8a\x01p" in transport.written
    assert transport.closed


async def test_a_pong_that_waits_behind_a_message_is_not_missed() -> None:
    reader, transport = await opened()
    reader.data_received(b"\x81\x81\0\0\0\0x")
    reader.send_keepalive_ping()
    reader.keepalive_timeout()
    assert not transport.closed
    assert reader.ping_timer is not None
    await reader.receive()
    reader.send_keepalive_ping()
    reader.keepalive_timeout()
    assert transport.closed
    reader.stop_keepalive()


def test_uvicorns_protocols_are_replaced() -> None:
    http, socket = streaming.protocols(OpenConnections(1))
    assert isinstance(http, partial)
    assert (http.func, socket) == (streaming.HttpProtocol, streaming.SocketProtocol)


@pytest.mark.parametrize("owner", [FlowControl, RequestResponseCycle, HttpToolsProtocol, WSProtocol, asyncio.Event])
def test_uvicorns_own_protocols_serve_when_an_attribute_of_theirs_is_gone(
    owner: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_init(*_: Any) -> None:
        """Set none of the attributes that are replaced."""

    monkeypatch.setattr(owner, "__init__", other_init)
    with capture_logs() as logs:
        assert streaming.protocols(OpenConnections(1)) == (HttpToolsProtocol, WSProtocol)
    (line,) = logs
    assert (line["log_level"], [name.split(".")[0] for name in line["missing"]]) == (
        "warning",
        [owner.__name__] * len(line["missing"]),
    )


@in_memory
async def test_a_gateway_streams_on_uvicorns_own_protocols(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_PRIVATE", ((WSProtocol, "__init__", "gone"),))
    async with running(store) as gateway:
        assert b'"done": true' in await gateway.get(TARGET)
        async with gateway.socket("/ws") as socket:
            await socket.send(json.dumps(ASK))
            assert json.loads(await socket.recv())["code"] == 200
