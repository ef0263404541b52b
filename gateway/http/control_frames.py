"""The frames of a WebSocket that no endpoint sees: pings, pongs and parts of messages. See uvicorn and RFC 6455, 5.5.

uvicorn answers each ping as it comes, to a client that takes no answers too, and handles at once all that one read has
brought: two thousand pings, while everybody else waits. So do a hundred clients that send a few of them all the time.
"""

import asyncio
from collections import deque
from typing import Any

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

# How many such frames of all sockets are handled in one round of the event loop, beside one that a read has brought;
# and how many of them a message takes the time of.
ROUND = 16
_MESSAGE = 4


class FrameRounds:
    """Shares out the rounds of the event loop among the sockets of a process."""

    def __init__(self) -> None:
        self._left = ROUND
        # Each with the frames that its next step counts for.
        self._waiting: deque[tuple[FrameTurns, int]] = deque()
        self._begun = False

    def take(self, connection: "FrameTurns", count: int = 1) -> bool:
        """Count frames; return False, and let the connection go on in a later round, if this one has enough."""
        if not self._begun:
            self._begun = True
            connection.loop.call_soon(self._renew, connection.loop)
        self._left -= count
        if self._left > 0:
            return True
        self._waiting.append((connection, count))
        return False

    def _renew(self, loop: asyncio.AbstractEventLoop) -> None:
        self._begun, self._left = bool(self._waiting), ROUND
        if self._begun:
            loop.call_soon(self._renew, loop)
        while self._waiting and self._left > 0:
            connection, count = self._waiting.popleft()
            # Now: that a message was taken is known in a later round only.
            self._left -= count
            connection.go_on()


class FrameTurns(WSProtocol):
    """A connection that handles few frames at a time, and keeps no more than one ping whose answer can't be sent."""

    # Those of all connections of its class.
    _rounds: FrameRounds
    # The latest ping that waits for its answer.
    _unanswered: Ping | None = None
    # The answers to pings that are handled now. They leave together: a proxy passes each write on by itself.
    _answers = b""

    def handle_events(self) -> None:
        """See SocketProtocol."""
        super().handle_events()
        self._send_answers()

    def handle_ping(self, event: Ping) -> None:
        """Answer a ping, or do so later: the latest one's answer is enough (RFC 6455, 5.5.3)."""
        if self.writable.is_set():
            self._answers += self.conn.send(event.response())
        else:
            self._unanswered = event
        self._count()

    def handle_close(self, event: CloseConnection) -> None:
        """See uvicorn: the client closes the socket."""
        self._send_answers()
        super().handle_close(event)

    def _send_answers(self) -> None:
        answers, self._answers = self._answers, b""
        if answers and not self.transport.is_closing():
            self.transport.write(answers)

    def handle_pong(self, event: Pong) -> None:
        """Take a pong."""
        super().handle_pong(event)
        self._count()

    def handle_message(self, event: TextMessage | BytesMessage) -> None:
        """Take a part of a message; behind the last one nothing is handled until the message is taken."""
        super().handle_message(event)
        self._count()

    def resume_writing(self) -> None:
        """Answer the ping that waits: the client takes bytes again."""
        super().resume_writing()
        event, self._unanswered = self._unanswered, None
        if event is not None and not (self.close_sent or self.transport.is_closing()):
            super().handle_ping(event)

    def _count(self) -> None:
        if self.read_paused or self.transport.is_closing() or self._rounds.take(self):
            return
        self.read_paused = True
        self.transport.pause_reading()

    def continue_reading(self) -> None:
        """See SocketProtocol: a message was taken."""
        if self._rounds.take(self, _MESSAGE):
            self.go_on()

    def go_on(self) -> None:
        """Handle what has been read already, and read on, in a round that has room for it."""
        if not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()
            self.handle_events()


def take_turns(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """Return a class of WebSocket connections whose frames are handled in turns."""
    bases: tuple[Any, ...] = (FrameTurns, protocol)
    return type("TurnedSocketProtocol", bases, {"_rounds": FrameRounds()})
