"""Sort what a server sends of an answer into blocks, each of which is whole before the next one grows."""

import secrets
import string
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wire.blocks import Block, BlockKind, Piece, fold_all
from wire.growing_fields import GrowingFields
from wire.reasons import Reason
from wire.text_parts import TextParts
from worker.errors import UpstreamError
from worker.providers.openai.call_fragments import CallFragment, JsonScanner
from worker.providers.surrogates import ends_in_half, join_surrogates

# Bytes of all of an answer's fields, and what a block counts beside them.
MAX_ANSWER = 4 * 1024 * 1024
_BLOCK_BYTES = 256
# How many names its extra fields may have: what reads them by name has work for each.
MAX_NAMES = 256
# What each part of a call counts beside what it brings, where it isn't alone in its event; of one event's.
_FRAGMENT_BYTES = 64
MOST_FRAGMENTS = 1024


def new_call_id() -> str:
    """Return an id for a call to which its server gave none: nine letters and digits, as Mistral wants them."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(9))


def text_bytes(text: str) -> int:
    """Return how many bytes of JSON a text is: a control character has six."""
    # Nearly all pieces of an answer.
    if text.isascii() and text.isprintable():
        return len(text)
    try:
        encoded = msgspec.json.encode(text)
    except UnicodeError:
        # With halves of surrogate pairs.
        encoded = msgspec.json.encode(text.encode(errors="replace").decode())
    return len(encoded) - len('""')


class GrowingBlock:
    """A block of which more may come. What no piece contains yet is held; `number` is None until there is a piece."""

    def __init__(self, kind: BlockKind, *, custom: bool = False) -> None:
        self.kind: BlockKind = kind
        self.id = self.name = ""
        self.custom = custom
        self._extra = GrowingFields()
        self.number: int | None = None
        # The id by which its server knows a call, the number of places at which it is known, whether a later block has
        # begun to grow, and whether it counts.
        self.server_id, self.places = "", 0
        self.is_over = self.is_dropped = False
        self._texts, self._held = TextParts(), TextParts()
        self._held_extras: list[dict[str, Any]] = []
        self._json = JsonScanner()

    @property
    def is_whole(self) -> bool:
        """Whether nothing more can belong to it, as soon as a later block begins."""
        return self.kind != "tool_call" or (self._json.is_whole and not self.custom)

    @property
    def text(self) -> str:
        """All of its text."""
        return self._texts.text + join_surrogates(self._held.text)

    def add(self, text: str, extra: dict[str, Any]) -> None:
        """Add text and fields beside it."""
        if text:
            self._held.append(text)
            if self.kind == "tool_call":
                self._json.feed(text)
        if extra:
            self._extra.add(extra)
            self._held_extras.append(extra)

    def extend(self, text: str) -> Piece | None:
        """Add text, and return it as a piece at once; None, and nothing is added, where it takes `add` and `take`."""
        if self.number is None or self.kind == "tool_call" or self._held or self._held_extras:
            return None
        if not text or join_surrogates(text) is not text:
            return None
        self._texts.append(text)
        return Piece(self.number, self.kind, text)

    def take(self, number: int, *, last: bool) -> Piece | None:
        """Return a piece of all that is held; half a character at the end remains, unless it is the `last` piece."""
        text, half = self._held.text, ""
        if not text.isascii():
            half = text[-1:] if ends_in_half(text) and not last else ""
            text = join_surrogates(text[: len(text) - len(half)])
        extra, self._held = fold_all(self._held_extras), TextParts(half)
        first = self.number is None
        if not (text or extra or (first and self.kind == "tool_call")):
            return None
        self._held_extras = []
        if text:
            self._texts.append(text)
        if self.number is None:
            self.number = number
            return Piece(number, self.kind, text, self.id, self.name, self.custom, extra)
        return Piece(self.number, self.kind, text, "", "", False, extra)

    def freeze(self) -> Block:
        """Return it as it is."""
        return Block(self.kind, self.text, self.id, self.name, self.custom, self._extra.fields)


class Normaliser:
    """The blocks of one answer. Whatever comes in between, each block's pieces follow each other.

    What belongs to a later block waits until the earlier one is over: a call when its arguments are a whole JSON
    object, any other call at the answer's end. A call begins when its name is known. `new_id` makes missing ids.
    """

    def __init__(self, new_id: Callable[[], str] = new_call_id) -> None:
        self._new_id = new_id
        self._blocks: list[GrowingBlock] = []
        # The position of the block that grows, and the number of blocks that have a piece.
        self._current = 0
        self._count = 0
        self._pieces: list[Piece] = []
        self._calls: list[GrowingBlock] = []
        self._by_index: dict[int, GrowingBlock] = {}
        self._by_id: dict[str, GrowingBlock] = {}
        self._legacy: GrowingBlock | None = None
        self.size = 0
        self._names: set[str] = set()
        # The kinds of its blocks.
        self.kinds: set[BlockKind] = set()

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of an answer."""
        return bool(self._blocks or self._calls)

    @property
    def text(self) -> str:
        """All of the text so far."""
        return "".join(block.text for block in self._blocks if block.kind == "text")

    def add(self, kind: BlockKind, text: str, extra: dict[str, Any] | None = None) -> None:
        """Add text, reasoning or a refusal, with the fields beside it."""
        if text or extra:
            self._grow(self._last(kind), text, extra or {})

    def add_extra(self, extra: dict[str, Any]) -> None:
        """Add fields beside all of the answer: to what came last, unless that is a call, or as a block of their own."""
        if not extra:
            return
        last = self._blocks[-1] if self._blocks else None
        self._grow(self._begin("opaque") if last is None or last.kind == "tool_call" else last, "", extra)

    def measure_fragments(self, fragments: Sequence[CallFragment]) -> None:
        """Count the parts of calls that came together. UpstreamError for more than any server sends at once."""
        if len(fragments) > MOST_FRAGMENTS:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an event of very many calls")
        self._measure(_FRAGMENT_BYTES * len(fragments))

    def add_call(self, fragment: CallFragment) -> None:
        """Add a part of a call. UpstreamError if the call was over."""
        call = self._find_call(fragment)
        if call is not None and (_restarts(call, fragment) or self._is_elsewhere(call, fragment)):
            if fragment.id and fragment.arguments == call.text:
                return
            call = None
        call = call or self._new_call(fragment)
        self._learn(call, fragment)
        if call.is_over and fragment.arguments.strip():
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a call that continues after its end")
        if not call.is_over:
            self._grow(call, fragment.arguments, fragment.extra)

    def take(self) -> tuple[Piece, ...]:
        """Return the pieces that the answer has more than at the last call."""
        pieces, self._pieces = tuple(self._pieces), []
        return pieces

    def end(self, *, cut: bool) -> tuple[Block, ...]:
        """Let everything be over, and return the blocks. `cut`: the server broke off, so a call may not be whole.

        Such a call is none, and neither is one without a name.
        """
        if cut:
            for block in self._blocks[self._current :]:
                block.is_dropped = not block.is_whole and (bool(block.text) or block is self._blocks[-1])
        for block in self._blocks[self._current :]:
            if not block.is_dropped:
                self._take_from(block, last=True)
        self._current = len(self._blocks)
        return tuple(block.freeze() for block in self._blocks if block.number is not None and not block.is_dropped)

    def _find_call(self, fragment: CallFragment) -> GrowingBlock | None:
        """Return the call that a fragment belongs to, by its id, else its index, else what came last."""
        if fragment.legacy:
            return self._legacy
        if fragment.id in self._by_id:
            return self._by_id[fragment.id]
        if fragment.index is not None:
            call = self._by_index.get(fragment.index)
            # Some servers make a new id for each fragment.
            other = call is not None and fragment.id and call.server_id and (fragment.name or call.is_whole)
            return None if other else call
        last = self._calls[-1] if self._calls and not fragment.id else None
        if last is None or not fragment.name or not last.name:
            return last
        return last if last.name == fragment.name and not last.is_whole else None

    def _is_elsewhere(self, call: GrowingBlock, fragment: CallFragment) -> bool:
        """Return whether a fragment begins another call of the same id, at an index of its own."""
        named = bool(fragment.id and fragment.name) and fragment.index is not None
        return named and fragment.index not in self._by_index and call.places > 0 and call.is_whole

    def _new_call(self, fragment: CallFragment) -> GrowingBlock:
        call = GrowingBlock("tool_call", custom=fragment.custom)
        if fragment.id in self._by_id:
            call.id = self._new_id()
        if fragment.legacy:
            self._legacy = call
        self._calls.append(call)
        self.kinds.add(call.kind)
        self._measure(_BLOCK_BYTES)
        return call

    def _learn(self, call: GrowingBlock, fragment: CallFragment) -> None:
        """Note by what a call is known; once its name is, it has its place among the blocks."""
        if fragment.index is not None:
            self._place(call, fragment.index)
        if fragment.id:
            if fragment.id not in self._by_id:
                self._measure(_BLOCK_BYTES + len(fragment.id))
            self._by_id[fragment.id] = call
            call.server_id = call.server_id or fragment.id
        if not call.name and (name := join_surrogates(fragment.name)):
            self._measure(len(name))
            call.name, call.id = name, call.id or join_surrogates(call.server_id) or self._new_id()
            self._append(call)

    def _place(self, call: GrowingBlock, index: int) -> None:
        """Note a place of a call. The first one is counted with the call."""
        before = self._by_index.get(index)
        if before is None and call.places:
            self._measure(_BLOCK_BYTES)
        if before is not call:
            if before is not None:
                before.places -= 1
            call.places += 1
            self._by_index[index] = call

    def _last(self, kind: BlockKind) -> GrowingBlock:
        """Return the last block, if it is of that kind, or a new one."""
        if self._blocks and self._blocks[-1].kind == kind:
            return self._blocks[-1]
        return self._begin(kind)

    def _begin(self, kind: BlockKind) -> GrowingBlock:
        return self._append(GrowingBlock(kind))

    def _append(self, block: GrowingBlock) -> GrowingBlock:
        self._blocks.append(block)
        self.kinds.add(block.kind)
        self.size += _BLOCK_BYTES
        return block

    def _grow(self, block: GrowingBlock, text: str, extra: dict[str, Any]) -> None:
        size = text_bytes(text)
        self._measure(size + len(msgspec.json.encode(extra)) if extra else size)
        self._names.update(extra)
        if len(self._names) > MAX_NAMES:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer with too many fields")
        # Nearly all text continues the last block, alone.
        is_last = self._current == len(self._blocks) - 1 and self._blocks[-1] is block
        if is_last and not extra and (piece := block.extend(text)) is not None:
            self._pieces.append(piece)
            return
        block.add(text, extra)
        self._advance()

    def _measure(self, size: int) -> None:
        self.size += size
        if self.size > MAX_ANSWER:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer without an end")

    def _advance(self) -> None:
        """Take all that may be known by now, from the block that grows and from those after it that can."""
        while self._current < len(self._blocks):
            block = self._blocks[self._current]
            block.is_over = self._current < len(self._blocks) - 1 and block.is_whole
            self._take_from(block, last=block.is_over)
            if not block.is_over:
                return
            self._current += 1

    def _take_from(self, block: GrowingBlock, *, last: bool) -> None:
        begins = block.number is None
        if (piece := block.take(self._count, last=last)) is not None:
            self._count += begins
            self._pieces.append(piece)


def _restarts(call: GrowingBlock, fragment: CallFragment) -> bool:
    """Return whether a fragment begins another call, although the server names the one before, which is whole."""
    return call.is_whole and bool(fragment.name) and fragment.arguments.lstrip().startswith("{")
