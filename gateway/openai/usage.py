"""How many tokens a question and its answer have: the upstream's own count, or an estimate."""

import math

import msgspec

from wire.messages import Chat, Usage

_BYTES_A_TOKEN = 4


class Tokens(msgspec.Struct, frozen=True):
    """Tokens; `estimated` if nobody counted them."""

    prompt: int
    completion: int
    estimated: bool

    @property
    def total(self) -> int:
        """All of them."""
        return self.prompt + self.completion

    @property
    def mark(self) -> dict[str, bool]:
        """The field that says so, where they are estimated."""
        return {"estimated": True} if self.estimated else {}


def tokens(counted: Usage | None, work: Chat, text: str) -> Tokens:
    """The tokens of a question with all that was told with it, and of its answer `text`."""
    if counted is not None:
        return Tokens(counted.prompt, counted.completion, estimated=False)
    told = (work.instructions, *(said.text for said in work.history), work.question)
    return Tokens(_estimate(*told), _estimate(text), estimated=True)


def _estimate(*texts: str) -> int:
    return math.ceil(sum(len(text.encode()) for text in texts) / _BYTES_A_TOKEN)
