"""The frames of a WebSocket that no endpoint sees: pings, pongs and parts of messages. See uvicorn and RFC 6455, 5.5.

uvicorn answers each ping as it comes, to a client that takes no answers too, and handles at once all that one read has
brought: two thousand pings, while everybody else waits.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import BytesMessage, Ping, Pong, TextMessage

# How many such frames are handled before other connections have their turn.
_TURN = 16


class FrameTurns(WSProtocol):
    """A connection that handles few frames at a time, and keeps no more than one ping whose answer can't be sent."""

    # The frames of this turn, and the latest ping that waits for its answer.
    _handled = 0
    _unanswered: Ping | None = None

    def handle_events(self) -> None:
        """Handle what has been read, up to the end of the turn."""
        self._handled = 0
        super().handle_events()

    def handle_ping(self, event: Ping) -> None:
        """Answer a ping, or do so later: the latest one's answer is enough (RFC 6455, 5.5.3)."""
        if self.writable.is_set():
            super().handle_ping(event)
        else:
            self._unanswered = event
        self._count()

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
        self._handled += 1
        if self._handled == _TURN and not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        self.read_paused = False
        self.transport.resume_reading()
        self.handle_events()


def take_turns(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """Return a class of WebSocket connections whose frames are handled in turns."""
    bases: tuple[Any, ...] = (FrameTurns, protocol)
    return type("TurnedSocketProtocol", bases, {})
