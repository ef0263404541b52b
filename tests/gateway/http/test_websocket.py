"""One WebSocket's inbox, and its sending."""

import asyncio
import itertools
from collections.abc import Callable

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from gateway.answering.timings import TIMINGS
from gateway.errors import ClientGoneError
from gateway.http.long_steps import ClientSteps, LongSteps
from gateway.http.response_room import ResponseRoom
from gateway.http.websocket import Inbox, WebSocketConnection
from wire.errors import ClientFullError
from wire.jobs import Client

pytestmark = pytest.mark.anyio


async def test_an_inbox_has_room_until_it_holds_its_bytes_and_again_when_some_are_read() -> None:
    inbox, message = Inbox[str](200), "x" * 100
    messages = inbox.messages()
    for expected in (1, 0, 1, 0):
        await asyncio.wait_for(inbox.wait_for_room(), 5)
        inbox.put(message, len(message))
        waiting = asyncio.create_task(inbox.wait_for_room())
        await asyncio.sleep(0)
        assert waiting.done() == bool(expected)
        if not expected:
            assert [await anext(messages), await anext(messages)] == [message] * 2
        await asyncio.wait_for(waiting, 5)


async def test_a_message_of_any_size_fits_an_empty_inbox() -> None:
    inbox = Inbox[str](10)
    await asyncio.wait_for(inbox.wait_for_room(), 5)
    inbox.put("x" * 1000, 1000)
    assert await anext(inbox.messages()) == "x" * 1000


@pytest.mark.parametrize("end", [Inbox.seal, Inbox.close])
async def test_nobody_waits_for_room_in_an_inbox_that_is_over(end: Callable[[Inbox[str]], None]) -> None:
    inbox = Inbox[str](10)
    inbox.put("x" * 1000, 1000)
    waiting = asyncio.create_task(inbox.wait_for_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    end(inbox)
    await asyncio.wait_for(waiting, 5)


async def test_an_inbox_that_closes_while_empty_ends() -> None:
    inbox, messages = Inbox[str](10), []
    inbox.put("a", 1)
    async with asyncio.timeout(5):
        async for message in inbox.messages():
            messages.append(message)
            inbox.close()
    assert messages == ["a"]


async def test_a_sealed_inbox_hands_out_what_it_holds_and_ends() -> None:
    inbox = Inbox[str](100)
    for message in ("a", "b"):
        inbox.put(message, len(message))
    inbox.seal()
    inbox.put("late", 4)
    async with asyncio.timeout(5):
        assert [message async for message in inbox.messages()] == ["a", "b"]


async def test_an_inbox_that_is_sealed_while_empty_ends() -> None:
    inbox = Inbox[str](10)
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
        self.admit = ResponseRoom().frames(Client())
        self.steps = LongSteps()

    async def accepted(self, last_send_limit: float = TIMINGS.last_send_limit) -> WebSocketConnection[str]:
        """Return a connection on this line."""
        socket = WebSocket({"type": "websocket", "path": "/", "headers": []}, self._receive, self._send)
        await socket.accept()
        steps = ClientSteps(self.steps, "client")
        return WebSocketConnection(socket, str, repr, self._leave, self.admit, steps, last_send_limit=last_send_limit)

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


async def test_messages_that_have_all_arrived_leave_others_their_turn_between_two_of_them() -> None:
    arrived: list[Message] = [{"type": "websocket.connect"}]
    arrived += [{"type": "websocket.receive", "text": "{}"}] * 100 + [{"type": "websocket.disconnect"}]
    line, turns, handled = Line(), 0, 0

    async def receive() -> Message:
        return arrived.pop(0)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    line._receive = receive  # type: ignore[method-assign]
    connection = await line.accepted()
    others = asyncio.create_task(take_turns())
    async with connection.messages() as messages:
        async for _ in messages:
            handled += 1
    others.cancel()
    assert turns >= handled >= 99


async def test_messages_have_their_clients_turn_and_who_waits_too_long_is_refused() -> None:
    arrived: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{}"}]
    line, steps = Line(), LongSteps(patience=0.01)
    over = asyncio.Event()

    async def receive() -> Message:
        if not arrived:
            await over.wait()
            return {"type": "websocket.disconnect"}
        return arrived.pop(0)

    line._receive = receive  # type: ignore[method-assign]
    line.steps = steps
    steps.spend("client", 60)
    connection = await line.accepted()
    async with connection.messages() as messages:
        assert await anext(messages) == repr(ClientFullError(1))
        over.set()


async def test_a_message_that_takes_long_lets_its_client_rest() -> None:
    arrived: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{}"}]
    arrived.append({"type": "websocket.disconnect"})
    line = Line()

    async def receive() -> Message:
        return arrived.pop(0)

    line._receive = receive  # type: ignore[method-assign]
    line.steps = LongSteps(clock=map(float, itertools.count()).__next__)
    connection = await line.accepted()
    async with connection.messages() as messages:
        await anext(messages, None)
    assert line.steps.rest_until("client") > 0
