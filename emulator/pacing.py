"""The pauses of an answer."""

import asyncio

from emulator.steps import Pause, Tick


class Pacer:
    """Wait for the pauses of one answer. Beats don't drift: each is counted from the first one.

    factor: the pace; 1 is like the real service, 0 means no pauses.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._due: float | None = None

    async def wait(self, step: Pause | Tick) -> None:
        """Wait as long as a step asks."""
        factor = 1.0 if step.exact else self._factor
        if isinstance(step, Pause):
            self._due = None
            await asyncio.sleep(step.seconds * factor)
            return
        now = asyncio.get_running_loop().time()
        self._due = now if self._due is None else self._due + step.period * factor
        await asyncio.sleep(max(0.0, self._due - now))
