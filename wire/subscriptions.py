"""One pub/sub connection a process, watched by a probe, for all answers that the process follows.

Pub/sub only hints: a message may be lost, and whoever follows an answer then reads its log. Whatever may have cost
messages (a new connection, a full queue) reaches the follower as `GAP`.
"""

import asyncio
import contextlib
import secrets
from collections import deque
from types import TracebackType
from typing import Final

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from wire import keys
from wire.connect import Store

# How many hints wait for a follower before it has to read the log instead.
_WAITING = 256
# Seconds without a word from Redis before it is probed, and before the connection is given up.
_PROBE_AFTER = 0.5
_DEAD_AFTER = 1.5
_LOG = structlog.get_logger()

Hint = tuple[int, bytes]
GAP: Final = None


class Subscription:
    """One follower's place on a channel."""

    def __init__(self) -> None:
        self._hints: deque[Hint] = deque()
        self._gap = False
        self._wake = asyncio.Event()

    def push(self, hint: Hint) -> None:
        """A message came."""
        if len(self._hints) >= _WAITING:
            self._hints.clear()
            self._gap = True
        if not self._gap:
            self._hints.append(hint)
        self._wake.set()

    def mark_gap(self) -> None:
        """Messages may have been lost."""
        self._hints.clear()
        self._gap = True
        self._wake.set()

    async def next(self, timeout: float) -> Hint | None:
        """The next hint, or GAP when messages may have been lost or none came within `timeout` seconds."""
        if not self._hints and not self._gap:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
        if self._gap:
            self._gap = False
            return GAP
        return self._hints.popleft() if self._hints else GAP


class Subscriptions:
    """The process's pub/sub connection. An async context manager that owns the reader."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: dict[str, set[Subscription]] = {}
        self._probe = keys.probe_channel(secrets.token_hex(8))
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Subscriptions":
        self._reader = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._reader is not None
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def add(self, channel: str) -> Subscription:
        """Follow a channel; doesn't wait for Redis's word, which arrives as a first GAP."""
        subscription = Subscription()
        first = channel not in self._followers
        self._followers.setdefault(channel, set()).add(subscription)
        if first:
            await self._send("subscribe", channel)
        else:
            subscription.mark_gap()
        return subscription

    async def remove(self, channel: str, subscription: Subscription) -> None:
        """Stop following."""
        left = self._followers[channel]
        left.discard(subscription)
        if not left:
            del self._followers[channel]
            await self._send("unsubscribe", channel)

    async def _send(self, command: str, channel: str) -> None:
        # The reader notices a broken connection and subscribes anew to all that is followed then.
        if self._pubsub is not None:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_DEAD_AFTER):
                    await getattr(self._pubsub, command)(channel)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                _LOG.warning("pub/sub connection lost, connecting again", cause=f"{type(error).__name__}: {error}")
            await asyncio.sleep(0.1)

    async def _listen(self) -> None:
        """One connection's life; ends by raising."""
        client, pubsub = self._store.pubsub()
        try:
            async with asyncio.timeout(_DEAD_AFTER):
                await pubsub.subscribe(self._probe)
                self._pubsub = pubsub
                if self._followers:
                    await pubsub.subscribe(*self._followers)
            await self._dispatch(pubsub)
        finally:
            self._pubsub = None
            await pubsub.aclose()  # type: ignore[no-untyped-call]
            await client.aclose()

    async def _dispatch(self, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            message = await pubsub.get_message(timeout=_PROBE_AFTER)
            if message is not None:
                heard = loop.time()
                self._deliver(message)
                continue
            if loop.time() - heard > _DEAD_AFTER:
                raise TimeoutError("no answer to the probe")
            async with asyncio.timeout(_DEAD_AFTER):
                await self._store.commands.publish(self._probe, b"")

    def _deliver(self, message: dict[str, object]) -> None:
        channel, data = message["channel"], message["data"]
        assert isinstance(channel, bytes)
        followers = self._followers.get(channel.decode(), ())
        if message["type"] == "message" and isinstance(data, bytes):
            seq, _, event = data.partition(b" ")
            if followers:
                hint = (int(seq), event)
                for follower in followers:
                    follower.push(hint)
        elif message["type"] == "subscribe":
            for follower in followers:
                follower.mark_gap()
