"""The line itself: it does to a connection what it is told to, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from tests.faults.chaos import Chaos, Line
from tests.faults.clients import until

pytestmark = [pytest.mark.anyio, pytest.mark.faults]


@pytest.fixture
async def echo(anyio_backend: str) -> AsyncIterator[int]:
    """The port of a server that sends back what it gets."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        with suppress(ConnectionResetError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()

    handlers: list[asyncio.Task[None] | None] = []
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    async with asyncio.timeout(5):
        await asyncio.gather(*filter(None, handlers))


@pytest.fixture
def chaos() -> Iterator[Chaos]:
    with Chaos() as lines:
        yield lines


@pytest.fixture
async def line(chaos: Chaos, echo: int) -> Line:
    return chaos.line(echo)


async def connected(line: Line) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection over the line that has carried something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    return reader, writer


async def test_a_line_forwards_both_ways_and_ends_when_the_client_does(line: Line) -> None:
    _, writer = await connected(line)
    writer.close()
    await writer.wait_closed()


async def test_a_reset_ends_what_is_open_and_lets_newcomers_in(line: Line) -> None:
    reader, writer = await connected(line)
    line.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    _, writer = await connected(line)
    writer.close()


async def test_a_refusing_line_ends_newcomers_until_it_is_healed(line: Line) -> None:
    line.reset(refuse=True)
    with pytest.raises(ConnectionResetError):
        await connected(line)
    line.heal()
    _, writer = await connected(line)
    writer.close()


async def test_a_deaf_line_leaves_its_connections_half_open_for_good(line: Line) -> None:
    reader, writer = await connected(line)
    line.black_hole()
    writer.write(b"lost")
    reading = asyncio.create_task(reader.read(100))
    await asyncio.wait([reading], timeout=0.1)
    line.heal()
    writer.write(b"more")
    await asyncio.wait([reading], timeout=0.1)
    assert not reading.done()
    reading.cancel()
    writer.close()
    _, writer = await connected(line)
    writer.close()


async def test_a_silenced_connection_is_half_open_from_the_request_named(line: Line) -> None:
    reader, writer = await connected(line)
    _, other = await connected(line)
    line.silence(b"SUBSCRIBE")
    writer.write(b"SUBSCRIBE")
    await until(lambda: line.lost, "it is silenced")
    reading = asyncio.create_task(reader.read(100))
    writer.write(b"more")
    await asyncio.wait([reading], timeout=0.1)
    assert not reading.done()
    reading.cancel()
    _, another = await connected(line)
    for one in (writer, other, another):
        one.close()


async def test_a_lost_reply_is_that_of_the_request_named(line: Line) -> None:
    reader, writer = await connected(line)
    line.lose_reply(b"claim")
    writer.write(b"beat")
    assert await reader.readexactly(4) == b"beat"
    writer.write(b"a claim")
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    assert line.lost == 1
    writer.close()


async def test_a_line_is_cut_after_so_many_bytes(line: Line) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    line.cut_after(3)
    writer.write(b"hello")
    assert await reader.readexactly(3) == b"hel"
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()


async def test_a_halved_reply_ends_in_the_middle_of_the_word_named(line: Line) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    line.halve_reply(b"claim")
    writer.write(b"beat")
    assert await reader.readexactly(4) == b"beat"
    writer.write(b"a claim!")
    assert await reader.readexactly(4) == b"a cl"
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    assert line.lost == 1
    writer.close()


async def test_a_delayed_line_only_takes_longer(line: Line) -> None:
    line.delay(0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, writer = await connected(line)
    assert loop.time() - began >= 0.1
    writer.close()
