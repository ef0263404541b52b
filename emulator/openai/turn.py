"""One question over this API on its way to an answer, and the steps by which the answer is sent."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from emulator.answers import SampleAnswer
from emulator.json_text import Json
from emulator.openai import annotations, chunks
from emulator.openai.error_response import ErrorResponse
from emulator.prompt import TurnPrompt
from emulator.steps import Step


@dataclass(frozen=True, slots=True)
class SendChunk(Step):
    """One event; `piece` is the answer's text in it."""

    body: Json
    piece: str = ""


@dataclass(frozen=True, slots=True)
class SendRaw(Step):
    """Text of the stream exactly as given, line ends included. spoils: whether it cuts off a whole completion."""

    text: str
    spoils: bool = True


@dataclass(frozen=True, slots=True)
class SendDone(Step):
    """The proper end: usage if it was asked for, [DONE], and what comes after it all the same.

    `outcome` goes into the ledger just before it leaves.
    """

    outcome: str = "Success"
    after: str = ""


@dataclass(frozen=True, slots=True)
class SendEnd(Step):
    """The end of the response without [DONE], which is a proper end for HTTP."""

    outcome: str


@dataclass(frozen=True, slots=True)
class SendError(Step):
    """An error in the stream (or, when nothing was begun, as the response), after which the response ends."""

    error: ErrorResponse
    outcome: str
    done: bool = False


@dataclass
class CompletionTurn(TurnPrompt):
    """All that a scenario needs to know. prompt_tokens: about what the messages cost."""

    model: str
    stream: bool
    include_usage: bool
    prompt_tokens: int
    created: int
    extra_fields: Json = field(default_factory=dict)  # of each event, beside the usual ones
    id: str = field(default_factory=lambda: f"chatcmpl-{os.urandom(14).hex()}")

    def begin(self, _answer: SampleAnswer) -> Iterator[Step]:
        """Yield the event with only the role, then the wait for the first text."""
        yield from self.pause(0.09)
        yield self.delta(role="assistant", content="", refusal=None)
        yield from self.wait_for_text(0.6)

    def write(self, pieces: Iterable[str]) -> Iterator[Step]:
        """Send these pieces, one at each beat."""
        for piece in pieces:
            yield self.tick
            yield self.text_chunk(piece)

    def end(self, answer: SampleAnswer, reason: str = "stop") -> Iterator[Step]:
        """Yield the sources, the reason why the answer ends, and the end."""
        if answer.sources:
            yield self.delta(annotations=self.annotate(answer))
        yield self.reason(reason)
        yield SendDone()

    def compose(self) -> SampleAnswer:
        """Return the ordinary answer with the same text as Bing's, but without Bing's citation marks."""
        answer = self.sample()
        text, _ = annotations.remove_marks(answer.text)
        return self.fit(SampleAnswer(text, answer.sources, answer.suggestions))

    def annotate(self, answer: SampleAnswer) -> list[Json]:
        """Return the annotations of an answer that compose has made."""
        _, places = annotations.remove_marks(self.sample().text)
        return annotations.annotate(answer, places)

    def event(self, choices: list[Json]) -> Json:
        """Return an event with these choices."""
        body = chunks.head(self.id, "chat.completion.chunk", self.created, self.model) | {"choices": choices}
        return body | ({"usage": None} if self.include_usage else {}) | self.extra_fields

    def delta(self, **delta: object) -> SendChunk:
        """Return an event that adds this to the message."""
        piece = delta.get("content")
        return SendChunk(self.event([chunks.choice(delta)]), piece if isinstance(piece, str) else "")

    def text_chunk(self, text: str) -> SendChunk:
        """Return an event that adds this to the answer's text."""
        return self.delta(content=f"{text} t={time.time_ns()} " if "stamp" in self.options else text)

    def reason(self, reason: str) -> SendChunk:
        """Return the event with the reason why the answer ends."""
        return SendChunk(self.event([chunks.choice({}, reason)]))

    def usage(self, pieces: int) -> Json:
        """Return the usage after so many pieces of text."""
        return chunks.usage(self.prompt_tokens, pieces)
