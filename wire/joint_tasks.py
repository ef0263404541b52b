"""Tasks that belong together: when one fails, none of the others runs on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

# How many run at a time, at most.
_AT_ONCE = 64


async def run_together(works: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Run all of them, some at a time. The first one that fails ends the others, and its error is raised.

    No TaskGroup: one of whose tasks fails at the moment of a cancellation swallows that, before Python 3.13.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def run(work: Callable[[], Awaitable[None]]) -> None:
        async with places:
            await work()

    tasks = [asyncio.create_task(run(work)) for work in works]
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
