"""An upstream inside the worker, for `PROVIDER=bench.overload.upstream:Upstream`: stamped pieces at a set pace.

`!deltas=N !rate=R !size=B` in a question asks for N pieces, R a second, of B characters each. A piece holds the time at
which it was due, as verdict.STAMP reads it, so B is at least LEAST, and a worker that falls behind counts as delay.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator

from worker.accounts import Account
from worker.providers import BeforeSend, Completed, Conversation, Snapshot, Update
from worker.replay import Recall, nothing
from worker.settings import WorkerSettings

# The length of a piece that holds nothing but its time.
LEAST = len(" t=1234567890123456789")
_ASKED = re.compile(r"!(deltas|rate|size)=(\d+(?:\.\d+)?)")


class Upstream:
    """A chat provider that knows neither accounts nor conversations."""

    def __init__(self, settings: WorkerSettings) -> None:
        del settings

    async def ask(
        self,
        account: Account,
        conversation: Conversation | None,
        style: str,
        question: str,
        before_send: BeforeSend,
        recall: Recall = nothing,
    ) -> AsyncGenerator[Update, None]:
        """See ChatProvider."""
        del account, conversation, style, recall
        asked = dict(_ASKED.findall(question))
        pieces, rate, size = int(asked.get("deltas", 1)), float(asked.get("rate", 1)), int(asked.get("size", LEAST))
        await before_send()
        loop = asyncio.get_running_loop()
        began, made, text = loop.time(), time.time_ns(), ""
        for number in range(pieces):
            # What is due already comes at once, as from a socket that has more to read.
            if (pause := began + number / rate - loop.time()) > 0:
                await asyncio.sleep(pause)
            text += piece(made + int(number / rate * 1e9), size)
            yield Snapshot(text)
        yield Completed(text, state=None)

    async def close(self) -> None:
        """Nothing is held."""


def piece(due: int, size: int) -> str:
    """A piece of `size` characters with a time, in nanoseconds of Unix time."""
    return f" t={due}".rjust(size, "x")
