"""Redis inside the process: fakeredis behind the interfaces of RedisConnection and Pipeline."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redis.asyncio.client import PubSub, Redis

from wire.redis.connection import Argument, MessageHandler
from wire.redis.errors import translate_errors

# Seconds; a wait without a limit could not be cancelled.
_POLL_TIMEOUT = 0.5
T = TypeVar("T")


class MemoryConnection:
    """A pub/sub connection; see wire.redis.connection.RedisConnection."""

    def __init__(self, pubsub: PubSub, on_message: MessageHandler) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pubsub = pubsub
        self._on_message = on_message
        self._commands: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        self._subscribed = asyncio.Event()
        self._tasks = [asyncio.create_task(work) for work in (self._write(), self._read())]

    def send(self, command: str, *channels: str) -> None:
        """Send SUBSCRIBE or UNSUBSCRIBE. The first channel remains subscribed."""
        self._commands.put_nowait((command, *channels))

    async def close(self) -> None:
        """Stop receiving."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _write(self) -> None:
        while True:
            command, *channels = await self._commands.get()
            with translate_errors():
                await (self._pubsub.subscribe if command == "SUBSCRIBE" else self._pubsub.unsubscribe)(*channels)
            self._subscribed.set()

    async def _read(self) -> None:
        await self._subscribed.wait()
        try:
            while True:
                with translate_errors():
                    message = await self._pubsub.get_message(timeout=_POLL_TIMEOUT)
                if message is not None:
                    self._on_message([message["type"].encode(), message["channel"], message["data"]])
        except Exception as error:  # noqa: BLE001 - `lost` reports it
            self.lost.set_result(f"{type(error).__name__}: {error}")


class MemoryPipeline:
    """Runner of scripts and commands; see wire.redis.pipeline.Pipeline. Its link never breaks."""

    link = 1
    expects_replicas = False

    def __init__(self, client: "Redis", sources: Mapping[str, str]) -> None:
        self._client = client
        # redis-py's conversions of the replies.
        client.response_callbacks.clear()
        self._scripts = {name: client.register_script(text) for name, text in sources.items()}

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Start a script; the future gets what `read` returns for its reply, or raises. StoreUnavailableError."""

        async def started() -> T:
            return read(await self.run(script, key, *args))

        return asyncio.ensure_future(started())

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """Run a script and return its reply. StoreUnavailableError."""
        with translate_errors():
            return await self._scripts[script](keys=[key], args=list(args), client=self._client)

    async def execute(self, *command: Argument) -> Any:
        """Execute a command and return its raw reply. StoreUnavailableError."""
        with translate_errors():
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def transact(self, *commands: Sequence[Argument]) -> list[Any]:
        """Execute commands as one and return their raw replies. StoreUnavailableError."""
        with translate_errors():
            async with self._client.pipeline(transaction=True) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                replies: list[Any] = await pipe.execute()
        return replies

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()
