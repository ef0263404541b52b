"""An answer as clients of /v1 get it: up to a stop sequence, with its sources at the end if that is on."""

from collections.abc import Iterable, Sequence

import msgspec

from gateway.openai.growing_blocks import GrowingBlocks
from gateway.openai.sources import Citation, format_sources, locate_citations
from gateway.openai.stop_sequences import StopSequences
from wire.blocks import Block, Piece, is_text, join_text
from wire.messages import Delta, EndReason, Failed, Final, Replace, Source, Usage
from wire.prompt import Message, Part, Refusal, Text, ToolCall
from wire.reasons import Reason

_CUT = "The answer reached its largest number of tokens within a call."


class AnswerAssembler:
    """The blocks of one answer. `sent` are all that was sent: text that the upstream replaced, then the answer.

    `blocks` are the answer alone. It is `finished` at its end, or at a stop sequence (`cut`), and `broken` if that was
    within a call: what was sent contains a call that isn't whole, which is none of the `blocks`.
    """

    def __init__(self, stops: Sequence[str] = (), *, list_sources: bool = False) -> None:
        self._stops = StopSequences(stops)
        self._list_sources = list_sources
        self._sources: tuple[Source, ...] = ()
        self._blocks = GrowingBlocks()
        # The same object, for as long as they are the same.
        self._sent = self._blocks
        self._upstream = GrowingBlocks() if stops else self._blocks
        self._replaced = 0
        self.finished = False
        self.broken = False
        self.finish: EndReason = "stop"
        self.finish_raw = ""
        self.usage: Usage | None = None
        self.model = ""
        self.extra: dict[str, object] = {}

    @property
    def blocks(self) -> list[Block]:
        """The answer."""
        return self._blocks.blocks

    @property
    def sent(self) -> list[Block]:
        """All that was sent."""
        return self._sent.blocks

    @property
    def cut(self) -> bool:
        """Whether it ended at a stop sequence."""
        return self._stops.hit

    @property
    def stop_sequence(self) -> str:
        """The stop sequence at which it ended, '' for none."""
        return self._stops.found

    @property
    def text(self) -> str:
        """The text of the answer."""
        return join_text(self.blocks)

    @property
    def is_lost(self) -> bool:
        """Whether all that there was is a call that isn't whole, and no limit of tokens explains it."""
        return self.broken and not self.blocks and self.finish != "length"

    @property
    def broken_end(self) -> Failed:
        """The end of what was sent, where that is within a call."""
        return Failed(Reason.INTERRUPTED, detail=_CUT if self.finish == "length" else "")

    def add(self, event: Delta | Replace | Final) -> list[Piece]:
        """Add an event and return the pieces to send, by the numbers of the blocks in `sent`.

        ValueError if the event doesn't continue the answer.
        """
        self.model = event.model or self.model
        match event:
            case Delta(pieces=()):
                new = self._add_text(event.text)
            case Delta():
                new = [shown for piece in event.pieces for shown in self._take(piece)]
            case Replace():
                new = self._replace(event.text)
            case Final():
                new = self._end(event)
        self.finished = self.finished or self.cut
        return new

    def is_custom(self, number: int) -> bool:
        """Return whether a block of what was sent is a call of a custom tool."""
        return self._sent.is_custom(number)

    def locate_citations(self, text: str) -> list[Citation]:
        """Return the citations of a text: of what was sent, or of the answer."""
        return locate_citations(self._sources, text, in_text=self._list_sources)

    def _add_text(self, text: str) -> list[Piece]:
        return self._take(Piece(self._upstream.text_place, "text", text)) if text else []

    def _take(self, piece: Piece) -> list[Piece]:
        """Return what may be sent now of a piece of the upstream's."""
        if self.cut:
            return []
        begins = piece.block == len(self._upstream)
        if self._upstream is not self._blocks:
            self._upstream.add(piece)
        # A stop sequence is within one block.
        held = self._flush() if begins else []
        if piece.kind == "text":
            shown = self._stops.add(piece.text)
            if shown is not piece.text:
                piece = msgspec.structs.replace(piece, text=shown)
        return [*held, self._put(piece)] if begins or piece.text or piece.extra else held

    def _flush(self) -> list[Piece]:
        """Return the text that was held back."""
        text = self._stops.flush()
        return [self._put(Piece(len(self._blocks) - 1, "text", text))] if text else []

    def _put(self, piece: Piece) -> Piece:
        self._blocks.add(piece)
        if self._sent is self._blocks or self.broken:
            return piece
        piece = msgspec.structs.replace(piece, block=self._replaced + piece.block)
        self._sent.add(piece)
        return piece

    def _replace(self, text: str) -> list[Piece]:
        """Begin the answer again with a text."""
        self._stops.discard()
        self._replaced = self._sent.text_place
        same = self._upstream is self._blocks
        self._blocks = GrowingBlocks()
        self._upstream = self._blocks if same else GrowingBlocks()
        return self._add_text(text)

    def _end(self, event: Final) -> list[Piece]:
        self.finished = True
        new = self._rest(event)
        if self.cut:
            return new
        self._sources, self.finish, self.finish_raw = event.urls, event.end_reason, event.finish_raw
        self.usage, self.extra = event.usage, event.extra
        new += self._flush()
        if event.urls and self._list_sources:
            new.append(self._put(Piece(self._blocks.text_place, "text", format_sources(event.urls))))
        return new

    def _rest(self, event: Final) -> list[Piece]:
        """Return what the end adds to the pieces before it."""
        before, blocks = self._upstream.blocks, event.all_blocks
        if event.stopped and not event.blocks and not is_text(before):
            # Only the text was known to who stopped it.
            self._drop_call()
            return []
        rest = _continue(before, blocks)
        if rest is not None:
            return [shown for piece in rest for shown in self._take(piece)]
        if is_text(before) and is_text(blocks):
            return self._replace(event.text)
        rest = _continue(before[:-1], blocks)
        if rest is None or before[-1].kind != "tool_call":
            raise ValueError("the end of an answer doesn't continue it")
        self._drop_call()
        return [shown for piece in rest for shown in self._take(piece)]

    def _drop_call(self) -> None:
        """Drop a last call that isn't whole."""
        if self._blocks.last_kind == "tool_call":
            self.broken = True
            self._sent = GrowingBlocks(self._sent.blocks)
            for blocks in {id(each): each for each in (self._blocks, self._upstream)}.values():
                blocks.drop_last()


def _continue(before: Sequence[Block], blocks: Sequence[Block]) -> list[Piece] | None:
    """Return the pieces by which blocks become the `blocks` of an end; None if they can't."""
    if len(before) > len(blocks):
        return None
    pieces = []
    for number, (old, new) in enumerate(zip(before, blocks, strict=False)):
        same = (old.kind, old.id, old.name) == (new.kind, new.id, new.name)
        grows = number == len(before) - 1 and new.text.startswith(old.text)
        if not same or not (grows or old.text == new.text):
            return None
        extra = {name: value for name, value in new.extra.items() if name not in old.extra} if grows else {}
        if len(new.text) > len(old.text) or extra:
            pieces.append(Piece(number, new.kind, new.text[len(old.text) :], extra=extra))
    for number, new in list(enumerate(blocks))[len(before) :]:
        pieces.append(Piece(number, new.kind, new.text, new.id, new.name, new.custom, new.extra))
    return pieces


def to_message(blocks: Iterable[Block], *, functions: bool = False) -> Message:
    """Return the message as which a client sends the answer back; with `functions` that has the first call alone."""
    blocks = list(blocks)
    text = join_text(blocks)
    refusal = "".join(block.text for block in blocks if block.kind == "refusal")
    parts: list[Part] = [Text(text)] if text else []
    calls = [ToolCall(block.id, block.name, block.text, block.custom) for block in blocks if block.kind == "tool_call"]
    parts += [Refusal(refusal)] if refusal else []
    return Message("assistant", tuple(parts), calls=tuple(calls[:1] if functions else calls))
