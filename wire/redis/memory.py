"""Redis inside the process: fakeredis behind what a Link and a Pipeline are to a real server."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from redis.asyncio.client import PubSub, Redis

from wire.redis.connection import Argument
from wire.redis.errors import translate_errors

# In seconds. A wait without a limit could not be broken off.
_LOOK_AGAIN = 0.5
T = TypeVar("T")


class MemoryConnection:
    """Hears what is published on the channels that it was told to subscribe to; see wire.redis.connection.Link."""

    def __init__(self, pubsub: PubSub, on_message: Callable[[Any], None]) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pubsub = pubsub
        self._on_message = on_message
        self._told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        self._subscribed = asyncio.Event()
        self._tasks = [asyncio.create_task(work) for work in (self._write(), self._read())]

    def send(self, command: str, *channels: str) -> None:
        """SUBSCRIBE or UNSUBSCRIBE. The first channel stays subscribed."""
        self._told.put_nowait((command, *channels))

    async def close(self) -> None:
        """Hear no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _write(self) -> None:
        while True:
            command, *channels = await self._told.get()
            with translate_errors():
                await (self._pubsub.subscribe if command == "SUBSCRIBE" else self._pubsub.unsubscribe)(*channels)
            self._subscribed.set()

    async def _read(self) -> None:
        await self._subscribed.wait()
        try:
            while True:
                with translate_errors():
                    message = await self._pubsub.get_message(timeout=_LOOK_AGAIN)
                if message is not None:
                    self._on_message([message["type"].encode(), message["channel"], message["data"]])
        except Exception as error:  # noqa: BLE001 - whoever holds the link is told
            self.lost.set_result(f"{type(error).__name__}: {error}")


class MemoryPipeline:
    """Runs scripts and commands; see wire.redis.pipeline.Pipeline."""

    def __init__(self, client: "Redis", sources: Mapping[str, str]) -> None:
        self._client = client
        # What redis-py would make of the replies.
        client.response_callbacks.clear()
        self._scripts = {name: client.register_script(text) for name, text in sources.items()}

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Begin a script; what `read` makes of its reply, or raises. StoreUnavailableError."""

        async def started() -> T:
            return read(await self.run(script, key, *args))

        return asyncio.ensure_future(started())

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """A script's reply. StoreUnavailableError."""
        with translate_errors():
            return await self._scripts[script](keys=[key], args=list(args), client=self._client)

    async def execute(self, *command: Argument) -> Any:
        """A command's reply as Redis gives it. StoreUnavailableError."""
        with translate_errors():
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Nothing runs any more."""
        await self._client.aclose()
