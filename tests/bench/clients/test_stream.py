"""One stream, from asking to its end."""

import asyncio
import json

import pytest

from bench.clients.stream import Stream, run_within
from bench.clients.transports import SOCKET, SSE, TRANSPORTS
from bench.clients.verdict import COMPLETE, UNFINISHED
from bench.clients.websocket import text_frame
from bench.systems.processes import free_ports

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
PIECE = " t=1700000000000000001"


class EventLog:
    """Records the calls of a stream."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def record_event(self, now: int, stamps: list[bytes], *, first: bool) -> None:
        self.calls.append((stamps, first))

    def record_end(self, *, opened: bool) -> None:
        self.calls.append(opened)


def event(text: str, *, done: bool = False) -> bytes:
    data = {"answer": text, "done": done}
    return b"data: %s\n\n" % json.dumps({"code": 200, "message": "success", "data": data}).encode()


def stream_of(log: EventLog, transport: str = SSE, message: bytes = b"") -> Stream:
    return Stream(TRANSPORTS[transport], log, lambda: b"GET / HTTP/1.1\r\n\r\n", message)


async def test_pieces_and_the_end_are_recorded_once() -> None:
    log = EventLog()
    stream = stream_of(log)
    stream.data_received(HEAD + b": ping\n\n" + event(PIECE))
    stream.data_received(event(PIECE) + event(2 * PIECE, done=True))
    stream.connection_lost(None)
    stamp = PIECE.removeprefix(" t=").encode()
    assert log.calls == [([stamp], True), ([stamp], False), True]
    assert stream.first is not None
    assert stream.verdict(2) == COMPLETE


async def test_a_stream_without_a_piece_never_opened() -> None:
    log = EventLog()
    stream = stream_of(log)
    stream.data_received(HEAD)
    stream.connection_lost(None)
    assert log.calls == [False]
    assert stream.verdict(1) == UNFINISHED


async def test_it_ends_soon_after_its_last_event_though_the_server_keeps_the_connection() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + event(PIECE) + event(PIECE, done=True))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        stream = stream_of(EventLog())
        await asyncio.wait_for(stream.ask(server.sockets[0].getsockname()[1]), 10)
        assert stream.verdict(1) == COMPLETE


async def test_the_message_follows_the_head_of_a_socket() -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        received.append(await reader.readexactly(len(text_frame("hi"))))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        stream = stream_of(EventLog(), SOCKET, text_frame("hi"))
        await asyncio.wait_for(stream.ask(server.sockets[0].getsockname()[1]), 10)
    assert received == [text_frame("hi")]


async def test_a_port_without_a_server_is_an_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        await stream_of(EventLog()).ask(free_ports(1)[0])


async def test_what_is_not_over_in_time_is_cancelled() -> None:
    over: list[str] = []

    async def wait(name: str, event: asyncio.Event) -> None:
        try:
            await event.wait()
            over.append(name)
        except asyncio.CancelledError:
            over.append(f"{name} cancelled")
            raise

    gate = asyncio.Event()
    gate.set()
    await run_within(0.05, [wait("quick", gate), wait("slow", asyncio.Event())])
    assert over == ["quick", "slow cancelled"]
