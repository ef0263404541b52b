"""One question over this API on its way to an answer, as the events of its stream."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from emulator import answer_limits, blocks
from emulator.answers import SampleAnswer
from emulator.blocks import AnswerBlock, BlockFragment
from emulator.event_stream import FinishAnswer, SendEvent
from emulator.json_text import Json
from emulator.openai import annotations
from emulator.prompt import TurnPrompt
from emulator.reply import ScriptedReply
from emulator.responses.output_item import OutputItem
from emulator.steps import Step

# Reasons of scripted answers that end them early.
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass
class ResponseTurn(TurnPrompt):
    """All that a scenario needs to know. response: the response without its output. limit: of tokens.

    prompt_tokens, cached_tokens: about what the input costs. summary: whether clients see what thoughts hold. encrypts:
    whether they come sealed. keep: stores the response.
    """

    response: Json
    stream: bool
    prompt_tokens: int
    cached_tokens: int = 0
    limit: int | None = None
    summary: bool = False
    encrypts: bool = False
    keep: Callable[[Json], None] = lambda _response: None
    reply: ScriptedReply | None = None
    is_ordinary: bool = True
    _reason: str | None = None  # why the answer is incomplete
    _output: list[Json] = field(default_factory=list)
    _item: OutputItem | None = None
    _sequence: int = 0
    _written: int = 0
    _thought_of: int = 0

    def begin(self, _answer: SampleAnswer) -> Iterator[Step]:
        """Yield the events that open the response, then the wait for the first text."""
        yield from self.pause(0.09)
        for name in ("response.created", "response.in_progress"):
            yield self.event(name, response=self.response | {"output": []})
        yield from self.wait_for_text(0.6)

    def write(self, pieces: Iterable[str]) -> Iterator[Step]:
        """Send these pieces, one at each beat."""
        for piece in pieces:
            yield self.tick
            self._written += bool(piece)
            if isinstance(piece, BlockFragment):
                yield from self._fragment(piece)
            else:
                yield from self._text(piece)

    def end(self, _answer: SampleAnswer, reason: str = "") -> Iterator[Step]:
        """Yield the end of the last item, and of the response."""
        why = reason or self._reason
        status = "incomplete" if why else "completed"
        yield from self.close_item(status)
        ended = self.ended(status) | {"incomplete_details": {"reason": why} if why else None}
        self.keep(ended)
        yield FinishAnswer((self.event(f"response.{status}", response=ended),))

    def compose(self) -> SampleAnswer:
        """Return the ordinary answer with the same text as Bing's, but without Bing's citation marks."""
        if not self.is_ordinary and self.reply is not None:
            text = "".join(block.text for block in self.reply.blocks if block.kind == "text")
            return SampleAnswer(text, (), ())
        answer = self.sample()
        text, _ = annotations.remove_marks(answer.text)
        return self.fit(SampleAnswer(text, (), answer.suggestions))

    def pieces(self, answer: SampleAnswer) -> list[str]:
        """Return the portions in which the answer is sent, as far as the request's limit lets it."""
        pieces: list[str] = []
        if self.reply is not None:
            self._reason = INCOMPLETE.get(self.reply.finish_reason or "")
            named = [replace(one, id=_call_id(one)) for one in self.reply.blocks]
            pieces += blocks.fragments(named, self.reply.sizes)
        if self.is_ordinary:
            pieces += super().pieces(answer)
        limited, early = answer_limits.apply(pieces, self.limit, ())
        if early is not None:
            self._reason = "max_output_tokens"
        return limited

    def ended(self, status: str) -> Json:
        """Return the response with its output and what it cost."""
        return self.response | {"status": status, "output": self._output, "usage": self._usage()}

    def event(self, name: str, piece: str = "", **fields: Any) -> SendEvent:
        """Return the next event of this type."""
        body = {"type": name, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return SendEvent(body, name, piece)

    def close_item(self, status: str = "completed") -> Iterator[Step]:
        """Close the item that is open, if one is."""
        if self._item is None:
            return
        item, self._item = self._item, None
        item.status = status
        for name, fields in item.close():
            yield self.event(name, **fields)
        self._output.append(item.whole)

    def _open(self, block: AnswerBlock) -> Iterator[Step]:
        yield from self.close_item()
        item_id = _make_id(OutputItem.prefix(block))
        self._item = OutputItem(block, item_id, len(self._output), self.summary, self.encrypts)
        for name, fields in self._item.open():
            yield self.event(name, **fields)

    def _text(self, text: str) -> Iterator[Step]:
        if self._item is None:
            yield from self._open(AnswerBlock("text"))
        yield from self._grow(text)

    def _fragment(self, fragment: BlockFragment) -> Iterator[Step]:
        self._thought_of += bool(fragment) and fragment.block.kind == "reasoning"
        if fragment.first:
            yield from self._open(fragment.block)
        yield from self._grow(str(fragment))
        if fragment.last:
            yield from self.close_item()

    def _grow(self, text: str) -> Iterator[Step]:
        assert self._item is not None
        piece = text if self._item.block.kind == "text" else ""
        for name, fields in self._item.grow(text):
            yield self.event(name, piece, **fields)

    def _usage(self) -> Json:
        if self.reply is not None and self.reply.usage is not None:
            return self.reply.usage
        return {
            "input_tokens": self.prompt_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self._written,
            "output_tokens_details": {"reasoning_tokens": self._thought_of},
            "total_tokens": self.prompt_tokens + self._written,
        }


def _call_id(block: AnswerBlock) -> str:
    return _make_id("call") if block.kind == "tool_call" and not block.id else block.id


def _make_id(prefix: str) -> str:
    return f"{prefix}_{os.urandom(24).hex()}"


def fold(events: Iterable[Json]) -> Json:
    """Return the response that comes when no stream is asked for."""
    response: Json = {}
    output: list[Json] = []
    for event in events:
        if event.get("type") == "response.output_item.done":
            output.append(event["item"])
        response = event.get("response", response)
    return response | {"output": response.get("output") or output}
