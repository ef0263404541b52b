"""An answer as blocks, in a form that is no API's: each API renders them as its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict

from emulator import answers
from emulator.json_text import Json

BlockKind = Literal["text", "reasoning", "tool_call", "refusal", "opaque"]
ARGUMENT_SIZE = 9  # characters of arguments in each fragment


@dataclass(frozen=True)
class AnswerBlock:
    """A part of an answer. text: a text, thoughts, a refusal, or a call's arguments.

    id, name, custom: a call's; an empty id is made when it is sent. extra: fields that are sent beside it; of an opaque
    block they are all there is.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: BlockKind
    text: str = ""
    id: str = ""
    name: str = ""
    custom: bool = False
    extra: Json = field(default_factory=dict)


class BlockFragment(str):
    """A portion of a block's text, which knows its block.

    number: the block's place among those of its kind. first, last: whether it begins and ends the block.
    """

    block: AnswerBlock
    number: int
    first: bool
    last: bool

    @classmethod
    def create(cls, text: str, block: AnswerBlock, number: int, first: bool, last: bool) -> Self:
        """Return a fragment."""
        fragment = cls(text)
        fragment.block, fragment.number, fragment.first, fragment.last = block, number, first, last
        return fragment


def fragments(blocks: Sequence[AnswerBlock], sizes: Sequence[int] = (), whole: bool = False) -> list[BlockFragment]:
    """Return blocks in the portions in which they are sent.

    sizes: characters in each portion, the last one for all that follow; none: as a server writes. whole: a call is one
    portion instead of its name, then its arguments.
    """
    portions: list[BlockFragment] = []
    counts: dict[str, int] = {}
    used = 0
    for block in blocks:
        number = counts[block.kind] = counts.get(block.kind, -1) + 1
        texts = list(_cut(block.text, sizes[used:] or sizes[-1:])) if sizes else list(_write(block))
        used += len(texts)
        if block.kind == "tool_call":
            texts = [block.text] if whole else ["", *texts]
        texts = texts or [""]
        for place, text in enumerate(texts):
            portions.append(BlockFragment.create(text, block, number, place == 0, place == len(texts) - 1))
    return portions


def _write(block: AnswerBlock) -> Iterator[str]:
    if block.kind == "tool_call":
        yield from _cut(block.text, (ARGUMENT_SIZE,))
    else:
        yield from answers.split(block.text)


def _cut(text: str, sizes: Sequence[int]) -> Iterator[str]:
    place = start = 0
    while start < len(text):
        size = sizes[min(place, len(sizes) - 1)]
        yield text[start : start + size]
        start, place = start + size, place + 1
