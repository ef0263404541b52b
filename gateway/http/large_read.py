"""Requests that load much of what is kept, perhaps by the few bytes of an id: they count as large bodies do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from gateway.answering.timings import TIMINGS
from gateway.http.body import BodyRoom
from wire.errors import ClientFullError
from wire.redis.long_strings import Admit
from wire.threads import LARGE

# Bytes of all that is loaded at a time by such requests: of four clients as much as MAX_BODY has by default. What is
# made of it takes up to ten times as much.
LOADED = 32 * 1024 * 1024
# Seconds after which a client whose others take too long may come back.
_COME_BACK = 1


class LargeRead:
    """What one request loads: if it is large, in its client's turn, and with room of `room`.

    An async context manager, which gives both back. `rest` waits until the client has had no long steps for a while.
    Turn and room may take `time_limit` seconds.
    """

    def __init__(
        self, room: BodyRoom, client: str, rest: Callable[[], Awaitable[None]], time_limit: float = TIMINGS.body_limit
    ) -> None:
        self._room = room
        self._client = client
        self._rest = rest
        self._time_limit = time_limit
        self._held = AsyncExitStack()
        self._admitted = False

    async def __aenter__(self) -> "LargeRead":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()

    async def admit(self, size: int) -> None:
        """Wait until `size` bytes may be loaded, or made of them; once what is large is admitted, so is the rest.

        The first large size has to be that of all that follows: who has room waits for no more. ClientFullError if that
        takes too long.
        """
        if size <= LARGE or self._admitted:
            return
        try:
            async with asyncio.timeout(self._time_limit):
                # Room comes last: who has it waits for nothing that others hold.
                await self._held.enter_async_context(self._room.turn(self._client))
                await self._held.enter_async_context(self._room.take(self._client, min(size, LOADED)))
        except TimeoutError:
            raise ClientFullError(_COME_BACK) from None
        self._admitted = True
        await self._rest()


def admit_together(admit: Admit, most: int) -> Admit:
    """Return what admits reads that follow each other as one of up to `most` bytes, once they are large together."""
    total = 0

    async def admit_next(size: int) -> None:
        nonlocal total
        total += size
        if total > LARGE:
            await admit(max(total, most))

    return admit_next
