"""The pauses of an answer."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds, times the pace unless exact."""

    seconds: float
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Wait until the next beat of this period, times the pace unless exact; the first beat is now."""

    period: float
    exact: bool = False


class Pace:
    """The pauses of one answer. Beats don't drift: each is counted from the first one."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._due: float | None = None

    async def wait(self, step: Pause | Tick) -> None:
        factor = 1.0 if step.exact else self._factor
        if isinstance(step, Pause):
            self._due = None
            await asyncio.sleep(step.seconds * factor)
            return
        now = asyncio.get_running_loop().time()
        self._due = now if self._due is None else self._due + step.period * factor
        await asyncio.sleep(max(0.0, self._due - now))
