"""A look at how an answer begins, before anything is said of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from wire.answers import Entry


@asynccontextmanager
async def peeked(
    entries: AsyncGenerator[Entry, None], seconds: float
) -> AsyncIterator[tuple[Entry | None, AsyncIterator[Entry]]]:
    """The first of `entries`, None if it doesn't come within `seconds`; and all of them, the first one too."""
    coming = asyncio.ensure_future(anext(entries, None))

    async def whole() -> AsyncIterator[Entry]:
        if (first := await coming) is not None:
            yield first
            async for entry in entries:
                yield entry

    try:
        await asyncio.wait({coming}, timeout=seconds)
        yield (coming.result() if coming.done() else None), whole()
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
