"""The number of tokens of a question and its answer: the upstream's own count, or an estimate."""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from wire.messages import Chat, Usage

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


def count_tokens(usage: Usage | None, work: Chat, text: str) -> TokenCounts:
    """Return the tokens of a question with its history and instructions, and of its answer `text`."""
    if usage is not None:
        return TokenCounts(usage.prompt, usage.completion, estimated=False)
    prompt = (work.instructions, *(message.text for message in work.history), work.question)
    return TokenCounts(_estimate(*prompt), _estimate(text), estimated=True)


def _estimate(*texts: str) -> int:
    return math.ceil(sum(len(text.encode()) for text in texts) / _BYTES_PER_TOKEN)
