"""Read the content blocks of an answer, each of which is whole before the next one begins."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from wire.blocks import Block, BlockKind, Piece
from wire.growing_fields import GrowingFields
from wire.reasons import Reason
from wire.text_parts import TextParts
from worker.errors import UpstreamError
from worker.providers.anthropic.content import FREE_TEXT
from worker.providers.envelope import Envelopes
from worker.providers.openai.call_fragments import MOST_PLACES
from worker.providers.openai.normaliser import MAX_ANSWER, GrowingBlock, new_call_id, text_bytes
from worker.providers.surrogates import clean_json, join_surrogates

# What a block counts beside its content, in bytes.
_BLOCK_BYTES = 256
# The kinds of blocks with a form of their own; all others are opaque.
_KINDS: Mapping[str, BlockKind] = {
    "text": "text",
    "thinking": "reasoning",
    "redacted_thinking": "reasoning",
    "tool_use": "tool_call",
}
# What is read of a block; everything else are extra fields.
_KNOWN = frozenset({"type", "text", "thinking", "signature", "data", "id", "name", "input"})
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking"}
# The type of block that a delta belongs to, and begins where it comes without one.
_BEGUN = {"thinking_delta": "thinking", "signature_delta": "thinking", "text_delta": "text"}


class _OpenBlock:
    """A block of which more may come. What belongs to its end is held until then."""

    def __init__(self, start: Mapping[str, Any], index: int | None, *, custom: bool) -> None:
        self.start = GrowingFields()
        self.start.add(start)
        self.index = index
        self.type = str(start.get("type"))
        self.kind = _KINDS.get(self.type, "opaque")
        self.custom = custom
        self.grown = GrowingBlock(self.kind, custom=custom)
        if self.kind == "tool_call":
            self.grown.name = join_surrogates(_text(start.get("name")))
            self.grown.id = join_surrogates(_text(start.get("id"))) or new_call_id()
        self.arguments, self.signature = TextParts(), TextParts()

    @property
    def is_unnamed(self) -> bool:
        """Whether it is a call of nothing."""
        return self.kind == "tool_call" and not self.grown.name

    def takes(self, delta: str) -> bool:
        """Return whether a delta of that type can belong to it."""
        type_ = _BEGUN.get(delta)
        return type_ is None or self.kind in (_KINDS[type_], "opaque")


class AnswerBlocks:
    """The blocks of one answer. `custom` are the names of tools that get any text.

    What only the server understands leaves in `envelopes`; without them extra fields don't leave.
    """

    def __init__(self, envelopes: Envelopes | None = None, custom: Collection[str] = ()) -> None:
        self._envelopes = envelopes
        self._custom = custom
        self._blocks: list[GrowingBlock] = []
        self._open: _OpenBlock | None = None
        # Where blocks are that ended only because the next one began.
        self._unstopped: set[int] = set()
        self._pieces: list[Piece] = []
        self._count = 0
        # A call to which its server gave no arguments.
        self._bare: GrowingBlock | None = None
        self.size = 0

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of an answer."""
        return bool(self._blocks or self._open is not None)

    def start(self, block: Mapping[str, Any], index: Any = None) -> None:
        """Begin a block, which ends the one before. `index` is its place, as its server counts."""
        if self._open is not None and self._open.index is not None:
            self._unstopped.add(self._open.index)
        self.stop()
        self._measure(_BLOCK_BYTES)
        custom = block.get("type") == "tool_use" and _text(block.get("name")) in self._custom
        self._open = opened = _OpenBlock(block, _place(index), custom=custom)
        self._measure(len(opened.grown.name) + len(opened.grown.id))
        if opened.kind == "opaque":
            self._measure(len(json.dumps(block)))
            return
        if opened.kind != "tool_call":
            self._grow(opened, join_surrogates(_text(block.get("thinking" if opened.kind == "reasoning" else "text"))))
            opened.signature.append(_text(block.get("data" if opened.type == "redacted_thinking" else "signature")))
        else:
            self._grow(opened, "")
        self._add_extra(opened, {name: value for name, value in block.items() if name not in _KNOWN})

    def add(self, delta: Mapping[str, Any], index: Any = None) -> None:
        """Let the open block grow; a delta that can't belong to it begins one. UpstreamError for one of another."""
        kind = _text(delta.get("type"))
        opened = self._find_open(kind, index)
        if kind == "input_json_delta":
            self._add_arguments(opened, _text(delta.get("partial_json")))
        elif opened.kind == "opaque":
            rest = {name: value for name, value in delta.items() if name != "type"}
            self._measure(len(json.dumps(rest)))
            opened.start.add(rest)
        elif kind in _DELTAS:
            self._grow(opened, _text(delta.get(_DELTAS[kind])))
        elif kind == "signature_delta":
            self._measure(len(text := _text(delta.get("signature"))))
            opened.signature.append(text)
        elif kind == "citations_delta" and isinstance(delta.get("citation"), dict):
            self._add_extra(opened, {"citations": [delta["citation"]]})

    def stop(self) -> None:
        """End the open block, if there is one."""
        opened, self._open = self._open, None
        if opened is None or opened.is_unnamed:
            return
        if opened.kind == "tool_call":
            self._end_call(opened)
        elif opened.kind == "opaque":
            self._end_opaque(opened)
        elif signature := opened.signature.text:
            name = "data" if opened.type == "redacted_thinking" else "signature"
            if self._envelopes is not None:
                opened.grown.add("", {name: self._envelopes.wrap(join_surrogates(signature))})
        self._take_from(opened, last=True)

    def take(self) -> tuple[Piece, ...]:
        """Return the pieces that the answer has more than at the last call."""
        pieces, self._pieces = tuple(self._pieces), []
        return pieces

    def end(self, *, cut: bool) -> tuple[Block, ...]:
        """Let everything be over, and return the blocks. `cut`: the server broke off, maybe within the last call.

        A call that isn't whole is none, and neither is one without a name.
        """
        self.stop()
        blocks = [block for block in self._blocks if block.number is not None]
        last = blocks[-1] if blocks else None
        if cut and last is not None and last.kind == "tool_call" and (last is self._bare or not _is_json(last)):
            del blocks[-1]
        return tuple(block.freeze() for block in blocks)

    def _find_open(self, kind: str, index: Any) -> _OpenBlock:
        index = _place(index)
        if self._open is not None and index is not None and index != self._open.index and index in self._unstopped:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "blocks that grow at the same time")
        if self._open is None or not self._open.takes(kind):
            self.start({"type": _BEGUN.get(kind, "text")}, index)
        assert self._open is not None
        return self._open

    def _add_arguments(self, opened: _OpenBlock, text: str) -> None:
        if opened.kind not in ("tool_call", "opaque") and text.strip():
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "arguments without a call")
        opened.arguments.append(text)
        if opened.kind == "tool_call" and not opened.custom:
            self._grow(opened, text)
        else:
            self._measure(len(text))

    def _end_call(self, opened: _OpenBlock) -> None:
        """Add what a call lacks: all arguments that came at its beginning, and those of a custom tool."""
        arguments = opened.arguments.text
        if not arguments:
            given = opened.start.fields.get("input")
            self._bare = None if given else opened.grown
            arguments = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
            if not opened.custom:
                self._grow(opened, arguments)
        if opened.custom:
            self._grow(opened, _free_text(arguments))

    def _end_opaque(self, opened: _OpenBlock) -> None:
        start = opened.start.fields
        if arguments := opened.arguments.text:
            try:
                start["input"] = json.loads(arguments)
            except (ValueError, RecursionError):
                start["input"] = {}
        self._add_extra(opened, start)

    def _add_extra(self, opened: _OpenBlock, extra: Mapping[str, Any]) -> None:
        given = {name: value for name, value in extra.items() if value is not None and value not in ("", [])}
        if self._envelopes is None or not given:
            return
        sealed = self._envelopes.seal(clean_json(given))
        self._measure(len(msgspec.json.encode(sealed)))
        opened.grown.add("", sealed)
        self._take_from(opened, last=False)

    def _grow(self, opened: _OpenBlock, text: str) -> None:
        self._measure(text_bytes(text))
        opened.grown.add(text, {})
        self._take_from(opened, last=False)

    def _measure(self, size: int) -> None:
        self.size += size
        if self.size > MAX_ANSWER:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer without an end")

    def _take_from(self, opened: _OpenBlock, *, last: bool) -> None:
        block = opened.grown
        if opened.is_unnamed or (opened.custom and not last):
            return
        begins = block.number is None
        if (piece := block.take(self._count, last=last)) is None:
            return
        if begins:
            self._count += 1
            self._blocks.append(block)
        self._pieces.append(piece)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _place(index: Any) -> int | None:
    """Return a block's place, as its server counts; None if it is none, or one that no answer has."""
    return index if isinstance(index, int) and 0 <= index < MOST_PLACES else None


def _is_json(block: GrowingBlock) -> bool:
    """Return whether a call's arguments are whole; those of a custom tool are read as a whole only."""
    try:
        return block.custom or isinstance(json.loads(block.text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def _free_text(arguments: str) -> str:
    """Return the text for a custom tool from the object that the model wrote; what is no such object is the text."""
    try:
        value = json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return arguments
    text = value.get(FREE_TEXT) if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments
