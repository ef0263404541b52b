import asyncio
import ssl
import threading
from typing import Any

import pytest
from aiohttp import web

from tests.support.conditions import until
from wire.threads import LARGE
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers.bing import socket as bing_socket
from worker.providers.bing.reply import BingReply, ReplyUpdate
from worker.providers.bing.socket import ChatHubSession, ChatHubSocket

pytestmark = pytest.mark.anyio

PING = '{"type": 6}\x1e'
HELLO = '{"protocol": "json", "version": 1}\x1e'


async def nothing() -> None:
    """Let every question pass, as before_send."""


def line_to(url: str) -> ChatHubSocket:
    deadline = asyncio.get_running_loop().time() + 5
    return ChatHubSocket(
        f"{url}/chat", CookieAccount("a", {"_U": "1"}), ssl.create_default_context(), deadline, nothing, BingReply()
    )


async def test_the_session_opens_the_line_that_it_is_given_as_address(stage: Any) -> None:
    session = ChatHubSession(cookies={})
    line = line_to(stage.url)
    assert await session.ws_connect(line, headers={"x-a": "1"}, ssl=None, proxy=None) is line
    assert (stage.upgrades[0].headers["x-a"], stage.upgrades[0].headers["Cookie"]) == ("1", "_U=1")
    await session.close()
    assert session.closed
    assert not line.closed
    await line.close()
    assert line.closed


async def test_a_line_that_is_not_open_has_nothing_to_say() -> None:
    with pytest.raises(UpstreamError) as caught:
        await line_to("ws://127.0.0.1:1").receive_str()
    assert caught.value.reason == "transport.closed"


async def test_a_line_may_be_closed_before_it_is_open_and_twice(stage: Any) -> None:
    await line_to(stage.url).close()
    line = line_to(stage.url)
    await line.open({})
    await line.close()
    await line.close()


async def test_a_ping_that_fails_leaves_what_was_received_to_be_read(stage: Any) -> None:
    async def last_words(socket: web.WebSocketResponse) -> None:
        await socket.send_str("{}\x1e")
        await socket.send_str('{"type":2,"item":{"result":{"value":"Success"}}}\x1e')
        await socket.close()

    stage.shake = last_words
    line = line_to(stage.url)
    await line.open({})
    await line.send_str(HELLO)
    assert await line.receive_str() == "{}\x1e"
    assert line._socket is not None
    assert line._socket._conn is not None
    assert line._socket._conn.transport is not None
    line._socket._conn.transport.close()
    await line.send_str(PING)
    assert '"type":2' in await line.receive_str()
    await line.close()


async def test_a_record_that_cant_be_sent_is_a_cut(stage: Any) -> None:
    line = line_to(stage.url)
    await line.open({})
    assert line._socket is not None
    await line._socket.close()
    with pytest.raises(UpstreamError) as caught:
        await line.send_str(HELLO)
    assert caught.value.reason == "transport.closed"
    await line.close()


@pytest.mark.parametrize("sent", ["ping", "pong", "record"])
async def test_many_messages_at_once_leave_others_their_turn(stage: Any, sent: str) -> None:
    """They have all arrived before the first is read, so that reading them never waits."""

    async def flood(socket: web.WebSocketResponse) -> None:
        for _ in range(100):
            await {"ping": socket.ping, "pong": socket.pong, "record": lambda: socket.send_str("{}\x1e")}[sent]()
        await socket.send_str("{}\x1e" if sent != "record" else '{"type":6}\x1e')

    stage.shake = flood
    line = line_to(stage.url)
    await line.open({})
    assert line._socket is not None
    await line.send_str(HELLO)
    queue = line._socket._reader
    await until(lambda: len(queue._buffer) > 100, "all has arrived")
    line._handshake_done = sent == "record"
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.ensure_future(take_turns())
    await line.receive_str()
    others.cancel()
    assert turns > 3
    await line.close()


async def test_a_handshake_that_is_redirected_elsewhere_takes_no_cookies_along() -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def redirect(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"http://localhost:{elsewhere.sockets[0].getsockname()[1]}/chat")

    elsewhere = await asyncio.start_server(note, "127.0.0.1", 0)
    bing = web.AppRunner(app := web.Application())
    app.router.add_get("/chat", redirect)
    await bing.setup()
    await web.TCPSite(bing, "127.0.0.1", 0).start()
    line = line_to(f"http://127.0.0.1:{bing.addresses[0][1]}")
    with pytest.raises(UpstreamError):
        await line.open({})
    await line.close()
    await bing.cleanup()
    elsewhere.close()
    assert heads
    assert not any(b"cookie" in head.lower() for head in heads)


async def test_messages_without_end_are_cut_off(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bing_socket, "MOST_MESSAGES", 50)

    async def flood(socket: web.WebSocketResponse) -> None:
        for _ in range(100):
            await socket.ping()

    stage.shake = flood
    line = line_to(stage.url)
    await line.open({})
    await line.send_str(HELLO)
    with pytest.raises(UpstreamError) as caught:
        await line.receive_str()
    assert caught.value.reason == "transport.toobig"
    await line.close()


async def test_a_ping_is_answered(stage: Any) -> None:
    async def ping(socket: web.WebSocketResponse) -> None:
        await socket.ping(b"are you there")
        await socket.send_str("{}\x1e")

    stage.shake = ping
    line = line_to(stage.url)
    await line.open({})
    await line.send_str(HELLO)
    answered: list[bytes] = []
    assert line._socket is not None
    send = line._socket.pong

    async def pong(message: bytes = b"") -> None:
        answered.append(message)
        await send(message)

    line._socket.pong = pong  # type: ignore[method-assign]
    assert await line.receive_str() == "{}\x1e"
    assert answered == [b"are you there"]
    await line.close()


async def test_what_is_no_http_is_logged_without_the_address_which_has_a_key() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 odd\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        line = line_to(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(UpstreamError) as caught:
            await line.open({})
        await line.close()
    assert (caught.value.reason, caught.value.detail) == ("transport.connect", "ClientResponseError")


@pytest.mark.parametrize(("size", "apart"), [(LARGE - 1000, False), (LARGE, True)])
async def test_large_messages_are_read_beside_the_event_loop(
    stage: Any, monkeypatch: pytest.MonkeyPatch, size: int, apart: bool
) -> None:
    threads: list[threading.Thread] = []
    read = BingReply.read

    def note(reply: BingReply, message: bytes) -> ReplyUpdate:
        threads.append(threading.current_thread())
        return read(reply, message)

    async def send(socket: web.WebSocketResponse) -> None:
        await socket.send_str("{}\x1e")
        await socket.send_str('{"type":6,"x":"' + "y" * size + '"}\x1e')

    monkeypatch.setattr(BingReply, "read", note)
    stage.shake = send
    line = line_to(stage.url)
    await line.open({})
    await line.send_str(HELLO)
    await line.receive_str()
    assert await line.receive_str() == '{"type":6}\x1e'
    assert [thread is not threading.main_thread() for thread in threads] == [apart]
    await line.close()


@pytest.mark.parametrize(("size", "count", "reason"), [(1000, 60, "transport.toobig"), (5000, 1, "upstream.protocol")])
async def test_bytes_without_end_and_a_long_handshake_are_cut_off(
    stage: Any, monkeypatch: pytest.MonkeyPatch, size: int, count: int, reason: str
) -> None:
    monkeypatch.setattr(bing_socket, "MOST_BYTES", 50_000)

    async def flood(socket: web.WebSocketResponse) -> None:
        for _ in range(count):
            await socket.send_str('{"x":"' + "y" * size + '"}\x1e')
        await socket.close()

    stage.shake = flood
    line = line_to(stage.url)
    await line.open({})
    await line.send_str(HELLO)
    line._handshake_done = count > 1
    with pytest.raises(UpstreamError) as caught:
        await line.receive_str()
    assert caught.value.reason == reason
    await line.close()
