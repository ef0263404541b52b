"""A store whose scripts all go through `run`, where a test can step in."""

import asyncio
from collections.abc import Callable
from typing import Any

from wire.redis.connection import Argument
from wire.redis.store import Store


class PatchedStore(Store):
    """A Store without a pipeline."""

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], Any]) -> "asyncio.Future[Any]":
        async def started() -> Any:
            return read(await self.run(script, key, *args))

        return asyncio.ensure_future(started())
