"""One question over this API on its way to an answer, as the events of its stream."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from emulator import answer_limits, blocks
from emulator.answers import SampleAnswer
from emulator.anthropic.error_response import make_id
from emulator.anthropic.prompt_cache import PromptTokens
from emulator.anthropic.thought_signatures import ThoughtSignatures, sign
from emulator.blocks import AnswerBlock, BlockFragment
from emulator.event_stream import FinishAnswer, SendEvent
from emulator.json_text import Json
from emulator.openai import annotations
from emulator.prompt import TurnPrompt
from emulator.reply import ScriptedReply
from emulator.steps import Step

# What scripts call the reasons in OpenAI's words.
REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


@dataclass
class MessageTurn(TurnPrompt):
    """All that a scenario needs to know. tokens: of the prompt. reply, is_ordinary: as in the other API.

    shows_thoughts: whether they are sent beside their signatures.
    """

    model: str
    stream: bool
    tokens: PromptTokens
    limit: int
    stops: tuple[str, ...] = ()
    shows_thoughts: bool = True
    signatures: ThoughtSignatures = field(default_factory=ThoughtSignatures)
    id: str = field(default_factory=lambda: make_id("msg"))
    reply: ScriptedReply | None = None
    is_ordinary: bool = True
    _reason: str = "end_turn"
    _stopped_at: str | None = None
    _index: int = -1
    _open: bool = False
    _written: int = 0
    _thought_of: int = 0

    def begin(self, _answer: SampleAnswer) -> Iterator[Step]:
        """Yield the event that opens the message, then the wait for the first text."""
        yield from self.pause(0.09)
        yield event("message_start", message=self.opened())
        yield from self.wait_for_text(0.6)

    def write(self, pieces: Iterable[str]) -> Iterator[Step]:
        """Send these pieces, one at each beat."""
        for piece in pieces:
            yield self.tick
            self._written += bool(piece)
            self._thought_of += bool(piece) and isinstance(piece, BlockFragment) and piece.block.kind == "reasoning"
            yield from self._fragment(piece) if isinstance(piece, BlockFragment) else self._text(piece)

    def end(self, _answer: SampleAnswer, reason: str = "") -> Iterator[Step]:
        """Yield the end of the last block, and of the message."""
        yield from self.close_block()
        yield FinishAnswer((self.ending(reason), event("message_stop")))

    def compose(self) -> SampleAnswer:
        """Return the ordinary answer with the same text as Bing's, but without Bing's citation marks."""
        if not self.is_ordinary and self.reply is not None:
            text = "".join(block.text for block in self.reply.blocks if block.kind == "text")
            return SampleAnswer(text, (), ())
        answer = self.sample()
        text, _ = annotations.remove_marks(answer.text)
        return self.fit(SampleAnswer(text, (), answer.suggestions))

    def pieces(self, answer: SampleAnswer) -> list[str]:
        """Return the portions in which the answer is sent, as far as the request's limits let it."""
        pieces: list[str] = []
        if self.reply is not None:
            self._reason = _reason_of(self.reply)
            named = [replace(one, id=_call_id(one)) for one in self.reply.blocks]
            pieces += blocks.fragments(named, self.reply.sizes)
        if self.is_ordinary:
            pieces += super().pieces(answer)
        limited, early = answer_limits.apply(pieces, self.limit, self.stops)
        if early is not None:
            self._reason = "stop_sequence" if early.stop else "max_tokens"
            self._stopped_at = early.stop or None
        return limited

    def opened(self) -> Json:
        """Return the message as it is before it has any content."""
        head: Json = {"model": self.model, "id": self.id, "type": "message", "role": "assistant", "content": []}
        fields = {"stop_reason": None, "stop_sequence": None, "usage": self._first_usage()}
        return head | fields | (self.reply.extra if self.reply is not None else {})

    def ending(self, reason: str = "") -> SendEvent:
        """Return the event with the reason why the answer ends, and what it cost."""
        delta: Json = {"stop_reason": reason or self._reason, "stop_sequence": None if reason else self._stopped_at}
        if delta["stop_reason"] == "refusal":
            delta["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
        return event("message_delta", delta=delta, usage=self._usage())

    def open_block(self, content: Json) -> Iterator[Step]:
        """Open a block; a ping follows the first one."""
        yield from self.close_block()
        self._index, self._open = self._index + 1, True
        yield event("content_block_start", index=self._index, content_block=content)
        if self._index == 0:
            yield event("ping")

    def close_block(self) -> Iterator[Step]:
        """Close the block that is open, if one is."""
        if self._open:
            self._open = False
            yield event("content_block_stop", index=self._index)

    def delta(self, kind: str, name: str, text: str) -> SendEvent:
        """Return the event that adds this to the block that is open."""
        piece = text if kind == "text_delta" else ""
        body = {"type": "content_block_delta", "index": self._index, "delta": {"type": kind, name: text}}
        return SendEvent(body, "content_block_delta", piece)

    def _text(self, text: str) -> Iterator[Step]:
        if not self._open:
            yield from self.open_block({"type": "text", "text": ""})
        yield self.delta("text_delta", "text", f"{text} t={time.time_ns()} " if "stamp" in self.options else text)

    def _fragment(self, fragment: BlockFragment) -> Iterator[Step]:
        block, text = fragment.block, str(fragment)
        if fragment.first:
            yield from self.open_block(_start(block))
        match block.kind:
            case "text" | "refusal":
                yield from self._text(text) if text else ()
            case "tool_call":
                # Arguments of an empty object are never written out.
                if fragment.first or block.text.strip() != "{}":
                    yield self.delta("input_json_delta", "partial_json", text)
            case "reasoning" if "data" not in block.extra:
                yield from self._thought(fragment)
        if fragment.last:
            self._remember(block)
            yield from self.close_block()

    def _thought(self, fragment: BlockFragment) -> Iterator[Step]:
        if fragment and self.shows_thoughts:
            yield self.delta("thinking_delta", "thinking", str(fragment))
        if fragment.last:
            text = fragment.block.text
            signature = fragment.block.extra.get("signature") or sign(text if self.shows_thoughts else "", text)
            yield self.delta("signature_delta", "signature", signature)

    def _remember(self, block: AnswerBlock) -> None:
        """Accept what a script has signed when it comes back."""
        if block.extra.get("signature"):
            self.signatures.remember(block.text if self.shows_thoughts else "", block.extra["signature"])
        if block.extra.get("data"):
            self.signatures.remember("", block.extra["data"])

    def _first_usage(self) -> Json:
        written = self.tokens.written
        by_life = {
            "ephemeral_5m_input_tokens": written - self.tokens.long,
            "ephemeral_1h_input_tokens": self.tokens.long,
        }
        counts = self._prompt_usage() | {"cache_creation": by_life, "output_tokens": 1, "service_tier": "standard"}
        return counts | self._scripted_usage()

    def _usage(self) -> Json:
        details = {"output_tokens_details": {"thinking_tokens": self._thought_of}} if self._thought_of else {}
        return self._prompt_usage() | {"output_tokens": max(1, self._written)} | details | self._scripted_usage()

    def _prompt_usage(self) -> Json:
        return {
            "input_tokens": self.tokens.fresh,
            "cache_creation_input_tokens": self.tokens.written,
            "cache_read_input_tokens": self.tokens.read,
        }

    def _scripted_usage(self) -> Json:
        return (self.reply.usage if self.reply is not None else None) or {}


def event(name: str, **fields: Any) -> SendEvent:
    """Return an event of this type."""
    return SendEvent({"type": name, **fields}, name)


def _reason_of(reply: ScriptedReply) -> str:
    if reply.finish_reason is not None:
        return REASONS.get(reply.finish_reason, reply.finish_reason)
    kinds = {block.kind for block in reply.blocks}
    return "tool_use" if "tool_call" in kinds else "refusal" if "refusal" in kinds else "end_turn"


def _call_id(block: AnswerBlock) -> str:
    return make_id("toolu") if block.kind == "tool_call" and not block.id else block.id


def _start(block: AnswerBlock) -> Json:
    """Return a block as it is before it has any content."""
    match block.kind:
        case "tool_call":
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}, **block.extra}
        case "reasoning" if "data" in block.extra:
            return {"type": "redacted_thinking", **block.extra, "data": block.extra["data"] or sign("", block.text)}
        case "reasoning":
            return {"type": "thinking", "thinking": "", **block.extra, "signature": ""}
        case "opaque":
            return {"type": "redacted_thinking", **block.extra}
    return {"type": "text", "text": "", **block.extra}
