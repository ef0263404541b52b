"""One question over this API on its way to an answer, and the steps by which the answer is sent."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from emulator import answer_limits, blocks
from emulator.answers import SampleAnswer
from emulator.blocks import AnswerBlock, BlockFragment
from emulator.json_text import Json
from emulator.openai import annotations, chunks, deltas, logprobs, server_styles
from emulator.openai.error_response import ErrorResponse
from emulator.openai.parameters import CompletionParameters
from emulator.openai.server_styles import ServerStyle
from emulator.prompt import TurnPrompt
from emulator.reply import ScriptedReply
from emulator.steps import Step


@dataclass(frozen=True, slots=True)
class SendChunk(Step):
    """One event; `piece` is the answer's text in it. tokens: what it costs. thought: whether it has thoughts."""

    body: Json
    piece: str = ""
    tokens: int = 0
    thought: bool = False


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
    """All that a scenario needs to know. prompt_tokens, cached_tokens: about what the messages cost.

    reply: the blocks of the answer; none: the ordinary text. is_ordinary: whether that follows the blocks. old: calls
    are of functions, as before there were tools. hidden_thoughts: tokens of thoughts that aren't sent.
    """

    model: str
    stream: bool
    include_usage: bool
    prompt_tokens: int
    created: int
    extra_fields: Json = field(default_factory=dict)  # of each event, beside the usual ones
    id: str = field(default_factory=lambda: f"chatcmpl-{os.urandom(14).hex()}")
    cached_tokens: int = 0
    style: ServerStyle = server_styles.ORDINARY
    parameters: CompletionParameters = field(default_factory=CompletionParameters)
    reply: ScriptedReply | None = None
    is_ordinary: bool = True
    old: bool = False
    hidden_thoughts: int = 0
    _reason: str = "stop"

    def begin(self, _answer: SampleAnswer) -> Iterator[Step]:
        """Yield the event with only the role, then the wait for the first text."""
        if self.style.opening:
            yield SendRaw(self.style.opening, spoils=False)
        yield from self.pause(0.09)
        if self.style.role is not None:
            yield self.delta(**self.style.role)
        yield from self.wait_for_text(0.6)

    def write(self, pieces: Iterable[str]) -> Iterator[Step]:
        """Send these pieces, one at each beat."""
        for piece in pieces:
            yield self.tick
            yield self.fragment(piece) if isinstance(piece, BlockFragment) else self.text_chunk(piece)

    def end(self, answer: SampleAnswer, reason: str = "stop") -> Iterator[Step]:
        """Yield the sources, the reason why the answer ends, and the end."""
        if answer.sources:
            yield self.delta(annotations=self.annotate(answer))
        yield self.reason(self._reason if reason == "stop" else reason)
        yield SendDone()

    def compose(self) -> SampleAnswer:
        """Return the ordinary answer with the same text as Bing's, but without Bing's citation marks."""
        if not self.is_ordinary and self.reply is not None:
            text = "".join(block.text for block in self.reply.blocks if block.kind == "text")
            return SampleAnswer(text, (), ())
        answer = self.sample()
        text, _ = annotations.remove_marks(answer.text)
        if self.parameters.limit is not None or self.parameters.stop:
            return self.fit(SampleAnswer(text, (), answer.suggestions))
        return self.fit(SampleAnswer(text, answer.sources, answer.suggestions))

    def pieces(self, answer: SampleAnswer) -> list[str]:
        """Return the portions in which the answer is sent, as far as the request's limits let it."""
        pieces: list[str] = []
        if self.reply is not None:
            calls = any(block.kind == "tool_call" for block in self.reply.blocks)
            self._reason = self.reply.finish_reason or self._reason_of(calls)
            fragments = self.style.change(self._fragments(self.reply))
            if not self.style.thoughts:
                shown = [one for one in fragments if one.block.kind != "reasoning"]
                self.hidden_thoughts = len(fragments) - len(shown)
                fragments = shown
            pieces += fragments
        if self.is_ordinary:
            pieces += super().pieces(answer)
        limited, ending = answer_limits.apply(pieces, self.parameters.limit, self.parameters.stop)
        if ending is not None:
            self._reason = "stop" if ending.stop else "length"
        return limited

    def _fragments(self, reply: ScriptedReply) -> list[BlockFragment]:
        identified: list[AnswerBlock] = []
        for block in reply.blocks:
            is_new = block.kind == "tool_call" and not block.id
            identified.append(replace(block, id=self.style.make_id()) if is_new else block)
        return blocks.fragments(identified, reply.sizes, whole=self.style.whole_calls and not reply.sizes)

    def _reason_of(self, calls: bool) -> str:
        if not calls:
            return "stop"
        return "function_call" if self.old else self.style.finish

    def annotate(self, answer: SampleAnswer) -> list[Json]:
        """Return the annotations of an answer that compose has made."""
        _, places = annotations.remove_marks(self.sample().text)
        return annotations.annotate(answer, places)

    def present(self, body: Json) -> Json:
        """Return an event, or a whole answer, as its endpoint has it."""
        return body

    def event(self, choices: list[Json]) -> Json:
        """Return an event with these choices."""
        head = chunks.head(self.id, "chat.completion.chunk", self.created, self.model, self.style.fingerprint)
        body = {**self.style.fields, **head, "choices": choices}
        return body | ({"usage": None} if self.include_usage else {}) | self.extra_fields

    def delta(self, **delta: object) -> SendChunk:
        """Return an event that adds this to the message."""
        piece = delta.get("content")
        thought = bool(delta.get("reasoning_content"))
        text = piece if isinstance(piece, str) else ""
        return SendChunk(self._event(delta, text), text, int(bool(text) or thought), thought)

    def fragment(self, fragment: BlockFragment) -> SendChunk:
        """Return an event that adds a fragment of a block."""
        delta = deltas.render(fragment, self.style, self.model, self.old)
        kind = fragment.block.kind
        text = str(fragment) if kind == "text" else ""
        if text and "stamp" in self.options:
            return self.text_chunk(text)
        tokens = int(bool(fragment))
        return SendChunk(self._event(delta, text), text, tokens, kind == "reasoning" and bool(fragment))

    def text_chunk(self, text: str) -> SendChunk:
        """Return an event that adds this to the answer's text."""
        return self.delta(content=f"{text} t={time.time_ns()} " if "stamp" in self.options else text)

    def reason(self, reason: str) -> SendChunk:
        """Return the event with the reason why the answer ends."""
        choice = chunks.choice({}, reason)
        return SendChunk(self.event([choice | ({"native_finish_reason": reason} if self.style.native_reason else {})]))

    def usage(self, tokens: int, thoughts: int = 0) -> Json:
        """Return the usage after so many tokens, of which so many were thoughts."""
        if self.reply is not None and self.reply.usage is not None:
            return self.reply.usage
        prompt, cached = self.prompt_tokens, self.cached_tokens
        tokens, thoughts = tokens + self.hidden_thoughts, thoughts + self.hidden_thoughts
        match self.style.usage:
            case "plain":
                return chunks.usage(prompt, tokens)
            case "cache":
                cache = {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": prompt - cached}
                return chunks.detailed_usage(prompt, tokens, cached, thoughts) | cache
        return chunks.detailed_usage(prompt, tokens, cached, thoughts)

    def _event(self, delta: Json, text: str) -> Json:
        if self.style.role is None:
            delta = {"role": "assistant", "content": "", **delta}
        listed = logprobs.describe(text, self.parameters.top_logprobs) if self.parameters.logprobs and text else None
        return self.event([chunks.choice(delta, None, listed)])
