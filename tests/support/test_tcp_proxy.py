"""The proxy disturbs a connection as a test asks for, and not otherwise."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from tests.support.conditions import until
from tests.support.tcp_proxy import ProxyThread, TcpProxy

pytestmark = pytest.mark.anyio


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
def proxy_thread() -> Iterator[ProxyThread]:
    with ProxyThread() as thread:
        yield thread


@pytest.fixture
async def proxy(proxy_thread: ProxyThread, echo: int) -> TcpProxy:
    return proxy_thread.proxy(echo)


async def connected(proxy: TcpProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection over the line that has carried something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    return reader, writer


async def test_a_line_forwards_both_ways_and_ends_when_the_client_does(proxy: TcpProxy) -> None:
    _, writer = await connected(proxy)
    writer.close()
    await writer.wait_closed()


async def test_a_reset_ends_what_is_open_and_lets_newcomers_in(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    _, writer = await connected(proxy)
    writer.close()


async def test_a_refusing_line_ends_newcomers_until_it_is_healed(proxy: TcpProxy) -> None:
    proxy.reset(refuse=True)
    with pytest.raises(ConnectionResetError):
        await connected(proxy)
    proxy.heal()
    _, writer = await connected(proxy)
    writer.close()


async def test_a_deaf_line_leaves_its_connections_half_open_for_good(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    proxy.black_hole()
    writer.write(b"lost")
    reading = asyncio.create_task(reader.read(100))
    await asyncio.wait([reading], timeout=0.1)
    proxy.heal()
    writer.write(b"more")
    await asyncio.wait([reading], timeout=0.1)
    assert not reading.done()
    reading.cancel()
    writer.close()
    _, writer = await connected(proxy)
    writer.close()


async def test_a_silenced_connection_is_half_open_from_the_request_named(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    _, other = await connected(proxy)
    proxy.silence(b"SUBSCRIBE")
    writer.write(b"SUBSCRIBE")
    await until(lambda: proxy.lost, "it is silenced")
    reading = asyncio.create_task(reader.read(100))
    writer.write(b"more")
    await asyncio.wait([reading], timeout=0.1)
    assert not reading.done()
    reading.cancel()
    _, another = await connected(proxy)
    for connection in (writer, other, another):
        connection.close()


async def test_a_lost_reply_is_that_of_the_request_named(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    proxy.lose_reply(b"claim")
    writer.write(b"beat")
    assert await reader.readexactly(4) == b"beat"
    writer.write(b"a claim")
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    assert proxy.lost == 1
    writer.close()


async def test_a_line_is_cut_after_so_many_bytes(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.cut_after(3)
    writer.write(b"hello")
    assert await reader.readexactly(3) == b"hel"
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()


async def test_a_halved_reply_ends_in_the_middle_of_the_word_named(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.halve_reply(b"claim")
    writer.write(b"beat")
    assert await reader.readexactly(4) == b"beat"
    writer.write(b"a claim!")
    assert await reader.readexactly(4) == b"a cl"
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    assert proxy.lost == 1
    writer.close()


async def test_a_delayed_line_only_takes_longer(proxy: TcpProxy) -> None:
    proxy.delay(0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, writer = await connected(proxy)
    assert loop.time() - began >= 0.1
    writer.close()


async def held(proxy_thread: ProxyThread, proxy: TcpProxy, *ports: int) -> None:
    """Hold the connections of these clients."""
    await asyncio.to_thread(proxy_thread.do, lambda: proxy.hold(lambda all_ports: all_ports & set(ports)))


def port_of(writer: asyncio.StreamWriter) -> int:
    return int(writer.get_extra_info("sockname")[1])


async def test_a_held_connection_passes_nothing_until_it_is_released(
    proxy_thread: ProxyThread, proxy: TcpProxy
) -> None:
    reader, writer = await connected(proxy)
    others_reader, others_writer = await connected(proxy)
    await held(proxy_thread, proxy, port_of(writer))
    writer.write(b"later")
    others_writer.write(b"now")
    assert await others_reader.readexactly(3) == b"now"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readexactly(5), 0.2)
    proxy.heal()
    assert await reader.readexactly(5) == b"later"
    for open_writer in (writer, others_writer):
        open_writer.close()
        await open_writer.wait_closed()


async def test_another_rule_releases_what_it_does_not_pick(proxy_thread: ProxyThread, proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    await held(proxy_thread, proxy, port_of(writer))
    writer.write(b"later")
    await held(proxy_thread, proxy)
    assert await reader.readexactly(5) == b"later"
    writer.close()
    await writer.wait_closed()


async def test_a_connection_begun_while_it_is_held_is_reset_when_released(
    proxy_thread: ProxyThread, proxy: TcpProxy
) -> None:
    await asyncio.to_thread(proxy_thread.do, lambda: proxy.hold(lambda ports: ports))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"never")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()
    with suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_a_line_that_holds_connections_can_be_closed(echo: int) -> None:
    async with asyncio.timeout(5):
        async with TcpProxy(echo) as proxy:
            _, writer = await connected(proxy)
            await proxy.hold(lambda ports: ports)
            _, second = await asyncio.open_connection("127.0.0.1", proxy.port)
            await until(lambda: proxy.accepted == 2, "both are accepted")
        for open_writer in (writer, second):
            open_writer.close()
            with suppress(ConnectionResetError):
                await open_writer.wait_closed()
