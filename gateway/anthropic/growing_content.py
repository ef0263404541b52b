"""One content block of a streamed message, as it grows: a fold of its events is the block of the whole message."""

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.answering import thought_fields
from gateway.anthropic.message_body import (
    CUSTOM_INPUT,
    AnyContent,
    Content,
    TextContent,
    ThinkingContent,
    ToolUseContent,
    citations_of,
    content_of,
)
from gateway.http.responses import Count
from gateway.http.sse import SseFrame
from wire.blocks import Block, Piece
from wire.growing_fields import GrowingFields


class TextDelta(msgspec.Struct, tag_field="type", tag="text_delta"):
    """More of a text."""

    text: str


class CitationsDelta(msgspec.Struct, tag_field="type", tag="citations_delta"):
    """One more page that a text cites."""

    citation: dict[str, Any]


class ThinkingDelta(msgspec.Struct, tag_field="type", tag="thinking_delta"):
    """More of what the model thought."""

    thinking: str


class SignatureDelta(msgspec.Struct, tag_field="type", tag="signature_delta"):
    """The signature, at the end of a block."""

    signature: str


class InputJsonDelta(msgspec.Struct, tag_field="type", tag="input_json_delta"):
    """More of a call's arguments, as the model wrote them."""

    partial_json: str


ContentDelta = TextDelta | CitationsDelta | ThinkingDelta | SignatureDelta | InputJsonDelta


class ContentBlockStart(msgspec.Struct, kw_only=True, tag_field="type", tag="content_block_start"):
    """A block begins: empty, but for one that is whole at once, such as hidden thinking."""

    index: Count
    content_block: AnyContent


class ContentBlockDelta(msgspec.Struct, kw_only=True, tag_field="type", tag="content_block_delta"):
    """A block grows."""

    index: Count
    delta: Annotated[ContentDelta, Meta(description="What is new.")]


class ContentBlockStop(msgspec.Struct, kw_only=True, tag_field="type", tag="content_block_stop"):
    """A block has ended; the next one has the next index."""

    index: Count


ContentEvent = ContentBlockStart | ContentBlockDelta | ContentBlockStop


def encode_frame(event: msgspec.Struct) -> SseFrame:
    """Return an event, which is named by the type in its data."""
    name = event.__struct_config__.tag
    return SseFrame(msgspec.json.encode(event), str(name))


class GrowingContent:
    """The block that begins with `first` and gets the `index`, once there is anything of it to show."""

    def __init__(self, first: Piece, index: int) -> None:
        self._block = Block(first.kind, "", first.id, first.name, first.custom)
        self._extra = GrowingFields()
        self._index = index
        self.number = first.block
        self.shown = False

    @property
    def is_text(self) -> bool:
        """Whether it is a text, which may cite pages."""
        return self._block.kind == "text"

    def add(self, piece: Piece) -> list[SseFrame]:
        """Return the events of a piece."""
        # Nobody needs the text again: what has one is shown at once.
        self._extra.add(piece.extra)
        match piece.kind:
            case "text" | "refusal":
                deltas: list[ContentDelta] = [TextDelta(piece.text)] if piece.text else []
                deltas += map(CitationsDelta, citations_of(piece.extra))
                return self._show(TextContent(text=""), deltas)
            case "reasoning":
                deltas = [ThinkingDelta(piece.text)] if piece.text else []
                return self._show(ThinkingContent(thinking="", signature=""), deltas)
            case "tool_call":
                return self._show_call(piece.text)
        return []

    def cite(self, citation: dict[str, Any]) -> list[SseFrame]:
        """Return the events of one more page that it cites."""
        return self._show(TextContent(text=""), [CitationsDelta(citation)])

    def close(self) -> list[SseFrame]:
        """Return the events of its end."""
        frames: list[SseFrame] = []
        match self._block.kind:
            case "reasoning" if self.shown:
                frames = [self._delta(SignatureDelta(thought_fields.pack(self._extra.fields)))]
            case "reasoning" | "opaque":
                frames = self._show_whole()
            case "tool_call" if self._block.custom:
                frames = [self._delta(InputJsonDelta('"}'))]
        return [*frames, encode_frame(ContentBlockStop(index=self._index))] if self.shown else []

    def _show_whole(self) -> list[SseFrame]:
        """Return the events of a block of which nothing could be shown before its end: it has no text."""
        match content_of(msgspec.structs.replace(self._block, extra=self._extra.fields)):
            case None:
                return []
            case ThinkingContent(signature=signature):
                return self._show(ThinkingContent(thinking="", signature=""), [SignatureDelta(signature)])
            case content:
                self.shown = True
                return [encode_frame(ContentBlockStart(index=self._index, content_block=content))]

    def _show_call(self, text: str) -> list[SseFrame]:
        block, begins = self._block, not self.shown
        if block.custom:
            # The text becomes a string in an object, piece by piece.
            text = json.dumps(text, ensure_ascii=False)[1:-1]
            text = f'{{"{CUSTOM_INPUT}":"{text}' if begins else text
        frames = [] if not begins else [self._start(ToolUseContent(id=block.id, name=block.name, input={}))]
        return [*frames, *([self._delta(InputJsonDelta(text))] if text else [])]

    def _show(self, empty: Content, deltas: list[ContentDelta]) -> list[SseFrame]:
        """Return the events of deltas, with the beginning if these are the first ones."""
        start = [self._start(empty)] if deltas and not self.shown else []
        return [*start, *map(self._delta, deltas)]

    def _start(self, empty: Content) -> SseFrame:
        self.shown = True
        return encode_frame(ContentBlockStart(index=self._index, content_block=empty))

    def _delta(self, delta: ContentDelta) -> SseFrame:
        return encode_frame(ContentBlockDelta(index=self._index, delta=delta))
