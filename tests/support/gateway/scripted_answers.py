"""Answers of any blocks, in events of any cuts and merges, for tests by hypothesis."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from wire.blocks import Block, Piece
from wire.messages import Delta, EndReason, Final

_TEXTS = st.text('ab {}"é你😀\n', max_size=12)
_EXTRAS: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {}, {}, {"note": "x"}, {"details": [{"data": "d"}]}])


@dataclass(frozen=True)
class ScriptedAnswer:
    """The blocks of an answer, and the events that bring them; the last one is its end."""

    blocks: tuple[Block, ...]
    events: tuple[Delta | Final, ...]

    @property
    def end(self) -> Final:
        """The last event."""
        end = self.events[-1]
        assert isinstance(end, Final)
        return end


@st.composite
def _blocks(draw: st.DrawFn, *, extras: bool, custom: bool) -> tuple[Block, ...]:
    kinds = ["text", "reasoning", "refusal", *(["opaque"] if extras else []), *["tool_call"] * 3]
    blocks: list[Block] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=5))):
        extra = draw(_EXTRAS) if extras else {}
        match kind:
            case "tool_call":
                name = draw(st.sampled_from(["add", "sub"]))
                free = custom and draw(st.booleans())
                blocks.append(Block("tool_call", draw(_TEXTS), f"c{number}", name, free, extra))
            case "opaque":
                blocks.append(Block("opaque", extra=extra or {"note": "y"}))
            case "text" | "reasoning" | "refusal":
                if blocks and blocks[-1].kind == kind:
                    continue
                blocks.append(Block(kind, draw(_TEXTS.filter(bool)), extra=extra))
    return tuple(blocks)


@st.composite
def scripted_answers(draw: st.DrawFn, *, extras: bool = True, custom: bool = False) -> ScriptedAnswer:
    """Return answers whose pieces are cut anywhere and merged in any events; the end may bring some of them itself.

    They have the servers' own fields with `extras`, and calls of custom tools with `custom`.
    """
    blocks = draw(_blocks(extras=extras, custom=custom))
    pieces = [piece for number, block in enumerate(blocks) for piece in draw(_pieces(number, block))]
    sent = draw(st.integers(0, len(pieces)))
    events: list[Delta | Final] = []
    while sum(len(event.pieces) for event in events if isinstance(event, Delta)) < sent:
        done = sum(len(event.pieces) for event in events if isinstance(event, Delta))
        few = pieces[done : min(sent, done + draw(st.integers(1, 4)))]
        text = "".join(piece.text for piece in few if piece.kind == "text")
        events.append(Delta(text, model="" if events else "served", pieces=tuple(few)))
    ended: EndReason = "tool_calls" if any(block.kind == "tool_call" for block in blocks) else "stop"
    text = "".join(block.text for block in blocks if block.kind == "text")
    return ScriptedAnswer(blocks, (*events, Final(text, model="served", blocks=blocks, ended=ended)))


@st.composite
def _pieces(draw: st.DrawFn, number: int, block: Block) -> list[Piece]:
    """Return the pieces of a block; its name, id and extra fields come with the first one."""
    places = sorted(draw(st.sets(st.integers(0, len(block.text)), max_size=3)))
    bounds = [0, *places, len(block.text)]
    texts = [block.text[start:end] for start, end in pairwise(bounds)]
    first, *others = texts
    begun = Piece(number, block.kind, first, block.id, block.name, block.custom, block.extra)
    return [begun, *(Piece(number, block.kind, text) for text in others if text)]
