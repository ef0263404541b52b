"""One WebSocket's inbox, and its sending."""

import asyncio

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from gateway.answering.timings import TIMINGS
from gateway.errors import ClientGoneError
from gateway.http.websocket import Inbox, WebSocketConnection

pytestmark = pytest.mark.anyio


async def test_an_inbox_is_bounded_in_size() -> None:
    inbox = Inbox(10)
    assert inbox.put("x" * 11)
    assert not inbox.put("y")


async def test_an_inbox_that_closes_while_empty_ends() -> None:
    inbox, messages = Inbox(10), []
    inbox.put("a")
    async with asyncio.timeout(5):
        async for message in inbox.messages():
            messages.append(message)
            inbox.close()
    assert messages == ["a"]


async def test_a_sealed_inbox_hands_out_what_it_holds_and_ends() -> None:
    inbox = Inbox(100)
    for message in ("a", "b"):
        inbox.put(message)
    inbox.seal()
    assert inbox.put("late")
    async with asyncio.timeout(5):
        assert [message async for message in inbox.messages()] == ["a", "b"]


async def test_an_inbox_that_is_sealed_while_empty_ends() -> None:
    inbox = Inbox(10)
    reading = asyncio.create_task(anext(inbox.messages(), "the end"))
    await asyncio.sleep(0)
    inbox.seal()
    async with asyncio.timeout(5):
        assert await reading == "the end"


class Line:
    """The server's end of a socket: `sent` is what went out, `open_` lets it out."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.left = 0
        self.sending = 0
        self.open_ = asyncio.Event()

    async def accepted(self, last_send_limit: float = TIMINGS.last_send_limit) -> WebSocketConnection:
        """Return a connection on this line."""
        socket = WebSocket({"type": "websocket", "path": "/", "headers": []}, self._receive, self._send)
        await socket.accept()
        return WebSocketConnection(socket, 1000, self._leave, last_send_limit=last_send_limit)

    async def _receive(self) -> Message:
        return {"type": "websocket.connect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            self.sending += 1
            assert self.sending == 1, "two frames at once"
            await self.open_.wait()
            self.sending -= 1
            self.sent.append(message["text"])

    def _leave(self) -> None:
        self.left += 1


async def test_frames_go_out_one_at_a_time_and_in_order() -> None:
    line = Line()
    connection = await line.accepted()
    frames = [str(number) for number in range(5)]
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for frame in frames:
            tasks.create_task(connection.send(frame.encode()))
        await asyncio.sleep(0)
        line.open_.set()
    assert line.sent == frames


async def test_who_takes_no_last_frame_counts_as_gone() -> None:
    line = Line()
    connection = await line.accepted(last_send_limit=0.01)
    with pytest.raises(ClientGoneError):
        await connection.send_last(b"last")
    assert (connection.gone, line.left, line.sent) == (True, 1, [])


async def test_a_frame_after_the_closing_meets_nobody() -> None:
    line = Line()
    connection = await line.accepted()
    await connection._close(1012)
    with pytest.raises(ClientGoneError):
        await connection.send(b"late")
