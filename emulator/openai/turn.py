"""One question on its way to an answer over this API, and the steps of which an answer is made."""

import os
import time
from dataclasses import dataclass, field

from emulator import answers
from emulator.answers import Answer
from emulator.asked import Asked
from emulator.frames import Json
from emulator.openai import chunks, sources
from emulator.openai.problem import Problem
from emulator.pace import Pause, Tick


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event; `piece` is the answer's text in it."""

    body: Json
    piece: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """Text of the stream as it stands, line ends and all. Spoils: a whole completion is cut off in its middle."""

    text: str
    spoils: bool = True


@dataclass(frozen=True, slots=True)
class Final:
    """The proper end: usage if it was asked for, [DONE], and what comes after it all the same.

    `outcome` goes into the ledger just before it leaves.
    """

    outcome: str = "Success"
    after: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The response ends well for HTTP, but without [DONE]."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the stream (or, when nothing was begun, as the response), after which the response ends."""

    problem: Problem
    outcome: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """End the TCP connection with FIN, wherever the response is."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the TCP connection with RST."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Send nothing more and wait for the client to leave."""


Step = Chunk | Raw | Pause | Tick | Final | End | Failure | Close | Reset | Silence


@dataclass
class Turn(Asked):
    """All that an outcome needs to know. asked_tokens: about what the messages cost."""

    model: str
    stream: bool
    include_usage: bool
    asked_tokens: int
    created: int
    more: Json = field(default_factory=dict)  # fields that each event has beside the usual ones
    id: str = field(default_factory=lambda: f"chatcmpl-{os.urandom(14).hex()}")

    def compose(self) -> Answer:
        """The ordinary answer in the same words as Bing's, but without Bing's citation marks."""
        answer = answers.compose(self.topic, self.number, self.previous, self.tone)
        return self.sized(Answer(sources.unmarked(answer.text)[0], answer.sources, answer.suggestions))

    def notes(self, answer: Answer) -> list[Json]:
        """The annotations of an answer that compose has made."""
        marked = answers.compose(self.topic, self.number, self.previous, self.tone).text
        return sources.annotations(answer, sources.unmarked(marked)[1])

    def event(self, choices: list[Json]) -> Json:
        body = chunks.head(self.id, "chat.completion.chunk", self.created, self.model) | {"choices": choices}
        return body | ({"usage": None} if self.include_usage else {}) | self.more

    def delta(self, **delta: object) -> Chunk:
        """An event that adds this to the message."""
        piece = delta.get("content")
        return Chunk(self.event([chunks.choice(delta)]), piece if isinstance(piece, str) else "")

    def piece(self, text: str) -> Chunk:
        """An event that adds this to the answer's text."""
        return self.delta(content=f"{text} t={time.time_ns()} " if "stamp" in self.option else text)

    def finish(self, reason: str) -> Chunk:
        return Chunk(self.event([chunks.choice({}, reason)]))

    def spent(self, pieces: int) -> Json:
        return chunks.usage(self.asked_tokens, pieces)
