"""Six clients that ask once a second, and how long each waits for its first text."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tests.support.faults.clients import Clients, unique
from tests.support.faults.history import Exchange

COUNT, EVERY = 6, 1.0
# An upstream takes a while to begin, and then writes for a while.
QUESTION = "!first=0.3 !deltas=10 !rate=20"


@dataclass
class Waits:
    """What became of the questions of a time: seconds to the first text, in order, and how the others ended."""

    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, exchange: Exchange) -> None:
        """Count a question that has ended."""
        if exchange.answered and exchange.deltas:
            self.seconds.append(exchange.frames[0].at - exchange.began)
            self.seconds.sort()
        else:
            self.refused.append(f"{exchange.code or 'none'} {exchange.end.body if exchange.end else ''}".strip())

    def quantile(self, share: float) -> float:
        """Return the wait in seconds that so large a share of the answered ones didn't exceed."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


async def ask_steadily(url: str, seconds: float) -> Waits:
    """Let all of them ask for so long, each from an address of its own, and wait until everything has ended."""
    waits = Waits()
    async with AsyncExitStack() as stack:
        patrons = [
            await stack.enter_async_context(Clients([url], {"x-forwarded-for": f"192.0.2.{number + 1}"}))
            for number in range(COUNT)
        ]
        await asyncio.gather(*(_ask(clients, number, seconds, waits) for number, clients in enumerate(patrons)))
    return waits


async def _ask(clients: Clients, number: int, seconds: float, waits: Waits) -> None:
    """Ask once a second, whatever became of the question before; none of all begins at the same moment."""
    loop = asyncio.get_running_loop()
    began = loop.time() + number * EVERY / COUNT
    running: list[asyncio.Task[None]] = []
    for turn in range(int(seconds / EVERY)):
        await asyncio.sleep(max(0.0, began + turn * EVERY - loop.time()))
        running.append(asyncio.create_task(_follow(clients, waits)))
    await asyncio.gather(*running)


async def _follow(clients: Clients, waits: Waits) -> None:
    waits.add(await clients.ask("naive", unique(QUESTION)))
