"""The load client against the floor inside this process, and against servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bench.clients.client import run
from bench.clients.load import EBBING, FULL, LoadOutcome, LoadPlan
from bench.systems.floor import FloorFrames, event
from bench.systems.processes import free_ports

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PIECES = [f"{number} t={1_700_000_000_000_000_000 + number} " for number in range(3)]
FRAMES = FloorFrames("a-token")
DELTAS = [event(FRAMES.delta(piece)) for piece in PIECES]
LAST = event(FRAMES.last("".join(PIECES)))

Behaviour = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(behave: Behaviour) -> AsyncIterator[int]:
    """Each connection gets its number, from 0, in the order in which they came."""
    serving: list[asyncio.Task[None]] = []

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await behave(number, reader, writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve(len(serving), reader, writer)))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        await asyncio.wait_for(asyncio.gather(*serving), 10)


def chunks(*bodies: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies)


class Watch:
    """The lines that the client sends."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.full = asyncio.Event()

    def notify(self, line: str) -> None:
        self.lines.append(line)
        if line == FULL:
            self.full.set()


async def ask(watch: Watch, port: int, streams: int, limit: float = 10.0) -> LoadOutcome:
    return await run(LoadPlan([port], streams, len(PIECES), 20.0, 0.05, limit), watch.notify)


@pytest.mark.parametrize("streams", [1, 3])
async def test_what_comes_while_all_streams_are_open_is_measured(streams: int) -> None:
    watch = Watch()

    async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunks(DELTAS[0]))
        await watch.full.wait()
        writer.write(chunks(*DELTAS[1:], LAST, b""))

    async with server(behave) as port:
        outcome = await ask(watch, port, streams)
    assert (outcome.asked, outcome.complete, outcome.incorrect, outcome.unfinished) == (streams, streams, 0, 0)
    assert watch.lines == [FULL, EBBING]
    assert outcome.first_delta_ms is not None
    assert outcome.window is not None
    assert outcome.window.streams == streams
    # The delta that opens the window, and the two of the stream whose end closes it.
    assert outcome.window.deltas == outcome.window.events == 3


async def test_a_refused_stream_is_counted_and_does_not_keep_the_window_shut() -> None:
    watch = Watch()
    body = '{"code": 503, "message": "服务繁忙"}'.encode()

    async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            return
        writer.write(HEAD + chunks(DELTAS[0]))
        await watch.full.wait()
        writer.write(chunks(*DELTAS[1:], LAST, b""))

    async with server(behave) as port:
        outcome = await ask(watch, port, 2)
    assert outcome.wrong == {"503 503 服务繁忙": 1}
    assert (outcome.complete, outcome.incorrect) == (1, 1)
    assert watch.lines == [FULL, EBBING]


async def test_a_broken_answer_is_incorrect_and_a_silent_one_unfinished() -> None:
    async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            writer.write(HEAD + chunks(DELTAS[0], DELTAS[2], LAST, b""))
        else:
            writer.write(HEAD + chunks(DELTAS[0]))
            # Until the client gives up.
            await asyncio.gather(reader.read(), return_exceptions=True)

    async with server(behave) as port:
        outcome = await ask(Watch(), port, 2, limit=1.0)
    assert outcome.wrong == {"the deltas don't add up to the answer": 1}
    assert (outcome.complete, outcome.incorrect, outcome.unfinished) == (0, 1, 1)


async def test_without_a_server_every_answer_is_incorrect_and_nothing_is_measured() -> None:
    [port], watch = free_ports(1), Watch()
    outcome = await ask(watch, port, 2)
    assert (outcome.incorrect, outcome.window, watch.lines) == (2, None, [])
