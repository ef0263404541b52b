"""The number of tokens of a question and its answer: the upstream's own count, or an estimate."""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from wire.about import About
from wire.messages import Usage

_BYTES_PER_TOKEN = 4

Estimated = Annotated[
    Literal[True],
    msgspec.Meta(description="Present when the upstream didn't count, so that these are estimates."),
]


class TokenCounts(msgspec.Struct, frozen=True):
    """Numbers of tokens; `estimated` if the upstream didn't count them."""

    prompt: int
    completion: int
    estimated: bool

    @property
    def total(self) -> int:
        """The sum of both."""
        return self.prompt + self.completion

    @property
    def mark(self) -> Literal[True] | UnsetType:
        """The value of the field `estimated` in a body: true, or no field."""
        return True if self.estimated else UNSET


def count_tokens(usage: Usage | None, about: About, text: str) -> TokenCounts:
    """Return the tokens of a question with its history and instructions, and of its answer `text`."""
    if usage is not None:
        return TokenCounts(usage.prompt, usage.completion, estimated=False)
    return TokenCounts(_estimate(about.prompt_bytes), _estimate(len(text.encode())), estimated=True)


def _estimate(size: int) -> int:
    return math.ceil(size / _BYTES_PER_TOKEN)
