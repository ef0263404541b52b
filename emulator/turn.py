"""One question on its way to an answer, and the steps of which an answer is made."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulator import answers, frames
from emulator.answers import Answer
from emulator.clock import Clock
from emulator.conversations import LIFETIME, Conversation
from emulator.frames import Json, Template
from emulator.words import Words

TICK = 0.035  # seconds between two deltas of the real service


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
class Pause:
    """Wait this many seconds, times the pace unless exact."""

    seconds: float
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Wait until the next beat of this period, times the pace unless exact; the first beat is now."""

    period: float
    exact: bool = False


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
class Turn:
    """All that an outcome needs to know. The numbers of `conversation` already count this turn."""

    words: Words
    question: str
    tone: str | None
    locale: str
    invocation: str
    request_id: str
    conversation: Conversation
    previous: str | None
    clock: Clock
    started: float
    number: int
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def option(self) -> dict[str, float]:
        return self.words.options

    @property
    def tick(self) -> Tick:
        rate = self.option.get("rate")
        return Tick(1 / rate, exact=True) if rate else Tick(TICK)

    def compose(self) -> Answer:
        """The ordinary answer, as long as the options ask."""
        topic = self.words.topic or ("…" if not self.question else self.question)
        answer = answers.compose(topic, self.number, self.previous, self.tone)
        if "long" in self.option:
            return Answer(answers.lengthen(answer.text, int(self.option["long"])), answer.sources, answer.suggestions)
        if "deltas" in self.option or "stamp" in self.option:
            return Answer(answer.text, (), answer.suggestions)
        return answer

    def pieces(self, answer: Answer) -> list[str]:
        """The answer's text in the portions it is sent in."""
        if "deltas" in self.option:
            return [f"delta {number:06d} " for number in range(1, int(self.option["deltas"]) + 1)]
        return list(answers.pieces(answer.text))

    def cut(self, count: int) -> int:
        """After how many of so many pieces the middle is."""
        return min(count, int(self.option.get("at", count // 2)))

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
