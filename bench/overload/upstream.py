"""A provider inside the worker, for `PROVIDER=bench.overload.upstream:Upstream`: stamped pieces at a set pace.

`!deltas=N !rate=R !size=B` in a question asks for N pieces, R a second, of B characters each. A piece contains the time
at which it was due, as verdict.STAMP reads it, so B is at least MIN_SIZE, and a slow worker counts as delay.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator

from bench.synthetic import Synthetic

# The length of a piece that contains nothing but its time.
MIN_SIZE = len(" t=1234567890123456789")
_OPTION = re.compile(r"!(deltas|rate|size)=(\d+(?:\.\d+)?)")


class Upstream(Synthetic):
    """A chat provider whose sessions keep no conversation."""

    state = None

    async def pieces(self, question: str) -> AsyncIterator[str]:
        """Yield the pieces that the question asks for, each when it is due."""
        options = dict(_OPTION.findall(question))
        count, rate = int(options.get("deltas", 1)), float(options.get("rate", 1))
        size = int(options.get("size", MIN_SIZE))
        loop = asyncio.get_running_loop()
        began, began_ns = loop.time(), time.time_ns()
        for number in range(count):
            # What is due already comes at once, as from a socket that has more to read.
            if (pause := began + number / rate - loop.time()) > 0:
                await asyncio.sleep(pause)
            yield _piece(began_ns + int(number / rate * 1e9), size)


def _piece(due_ns: int, size: int) -> str:
    """Return a piece of `size` characters with a time, in nanoseconds of Unix time."""
    return f" t={due_ns}".rjust(size, "x")
