"""The bench's question and the answer that it asks for: the same words and the same pieces as the emulator's."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

_DELTAS = re.compile(r"!deltas=(\d+)")
_RATE = re.compile(r"!rate=(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Question:
    """Asks for an answer of `deltas` pieces at `rate` a second, each with the time at which it was made."""

    deltas: int
    rate: float

    def __str__(self) -> str:
        return f"!deltas={self.deltas} !rate={self.rate:g} !stamp"


def parse(text: str) -> Question:
    """Return what a question asks for; one piece where it names no number."""
    deltas, rate = _DELTAS.search(text), _RATE.search(text)
    return Question(int(deltas[1]) if deltas else 1, float(rate[1]) if rate else 1.0)


async def pieces(question: Question) -> AsyncIterator[str]:
    """Yield the pieces, the first at once, each made when it is due. Late ones don't delay those after them."""
    now = asyncio.get_running_loop().time
    start, beat = now(), 1 / question.rate
    for number in range(question.deltas):
        pause = start + number * beat - now()
        if pause > 0:
            await asyncio.sleep(pause)
        yield f"delta {number + 1:06d}  t={time.time_ns()} "
