"""One question on its way to an answer, and the steps of which an answer is made."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulator import frames
from emulator.asked import Asked
from emulator.clock import Clock
from emulator.conversations import LIFETIME, Conversation
from emulator.frames import Json, Template
from emulator.pace import Pause, Tick


@dataclass(frozen=True, slots=True)
class Send:
    """One WebSocket text message."""

    data: str


@dataclass(frozen=True, slots=True)
class Delta:
    """One WebSocket text message that brings the answer's text to `length` characters."""

    data: str
    length: int


@dataclass(frozen=True, slots=True)
class Binary:
    data: bytes


@dataclass(frozen=True, slots=True)
class Final:
    """The last message of a turn; `outcome` goes into the ledger just before it leaves."""

    data: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Close:
    code: int = 1000


@dataclass(frozen=True, slots=True)
class Reset:
    """End the TCP connection with RST."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Send nothing more and wait for the client to leave."""


Step = Send | Delta | Binary | Pause | Tick | Final | Close | Reset | Silence


@dataclass
class Turn(Asked):
    """All that an outcome needs to know. The numbers of `conversation` already count this turn."""

    locale: str
    invocation: str
    request_id: str
    conversation: Conversation
    clock: Clock
    started: float
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def update(self, **more: object) -> Send:
        return Send(frames.record(frames.update(self.request_id, **more)))

    def message(self, text: str, **more: object) -> Json:
        """A further message by the bot, with an id of its own."""
        return frames.bot_message(text, str(uuid.uuid4()), self.clock.now(), **more)

    def echo(self) -> Json:
        """The user's question as the final item repeats it."""
        client = self.conversation.client
        return frames.user_message(
            self.question, client, self.request_id, self.request_id, self.started, self.locale.lower()
        )

    def item(self, messages: list[Json]) -> Json:
        """The final item of a turn that ran; moves the conversation's end to six hours from now."""
        self.conversation.expires = self.clock.now() + LIFETIME
        return frames.answered_item(
            [self.echo(), *(frames.settled(message, self.request_id) for message in messages)],
            self.conversation.id,
            self.request_id,
            self.started,
            self.conversation.expires,
            self.conversation.limit,
            self.number,
            self.question,
        )

    def refused(self, value: str, message: str, error: bool = True) -> Json:
        outcome = frames.result(value, message, error)
        return frames.refused_item(self.conversation.id, self.request_id, self.started, outcome)

    def final(self, item: Json) -> Final:
        """Type 2 and type 3 in one message."""
        last = {"type": 2, "invocationId": self.invocation, "item": item}
        value = item.get("result", {}).get("value", "no result") if isinstance(item, dict) else "no result"
        data = frames.record(last) + frames.record(frames.completion(self.invocation))
        return Final(data, value)


class Writer:
    """The answer's growing text, and the update that carries it."""

    def __init__(self, turn: Turn, template: Json, stamped: bool = False) -> None:
        self._template = Template(frames.update(turn.request_id, messages=[template]))
        self._escaped: list[str] = []
        self._stamped = stamped
        self.text = ""

    def grow(self, piece: str) -> Delta:
        if self._stamped:
            piece = f"{piece} t={time.time_ns()} "
        self.text += piece
        self._escaped.append(frames.escape(piece))
        if len(self._escaped) > 1:
            self._escaped = ["".join(self._escaped)]
        return Delta(self._template.fill(self._escaped[0]), len(self.text))

    def replace(self, text: str) -> Delta:
        """Let the text be another one."""
        self.text = text
        self._escaped = [frames.escape(text)]
        return Delta(self._template.fill(self._escaped[0]), len(text))


def written(turn: Turn, writer: Writer, pieces: list[str]) -> Iterator[Step]:
    """Send these pieces, one at each beat."""
    for piece in pieces:
        yield turn.tick
        yield writer.grow(piece)
