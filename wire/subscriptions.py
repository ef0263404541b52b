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

from wire import keys
from wire.connect import Store, translated
from wire.errors import StoreUnavailableError

# How many hints wait for a follower before it has to read the log instead.
_WAITING = 256
# Seconds without a word from Redis before it is probed, and before the connection is given up.
_PROBE_AFTER = 0.5
_DEAD_AFTER = 1.5
_RECONNECT_PAUSE = 0.1
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
    """The process's pub/sub connection. An async context manager that owns its reader and its writer.

    Followers never touch the connection, so that a follower's cancellation can't break it for all others.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: dict[str, set[Subscription]] = {}
        # What the connection was told to subscribe to; `_changed` wakes its writer when followers come or go.
        self._subscribed: set[str] = set()
        self._changed = asyncio.Event()
        self._probe = keys.probe_channel(secrets.token_hex(8))
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Subscriptions":
        self._supervisor = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._supervisor is not None
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)

    @property
    def channels(self) -> int:
        """How many channels are followed now."""
        return len(self._followers)

    def add(self, channel: str) -> Subscription:
        """Follow a channel; doesn't wait for Redis's word, which arrives as a first GAP."""
        subscription = Subscription()
        if channel in self._subscribed:
            subscription.mark_gap()
        self._followers.setdefault(channel, set()).add(subscription)
        self._changed.set()
        return subscription

    def remove(self, channel: str, subscription: Subscription) -> None:
        """Stop following."""
        left = self._followers[channel]
        left.discard(subscription)
        if not left:
            del self._followers[channel]
            self._changed.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._connected()
            except* (StoreUnavailableError, RuntimeError, ValueError) as errors:
                # RuntimeError: uvloop's word for a closed connection; ValueError: a message that is none of ours.
                cause = errors.exceptions[0]
                _LOG.warning("pub/sub connection lost, connecting again", cause=f"{type(cause).__name__}: {cause}")
            await asyncio.sleep(_RECONNECT_PAUSE)

    async def _connected(self) -> None:
        """One connection's life; ends by raising."""
        client, pubsub = self._store.pubsub()
        try:
            with translated():
                await pubsub.subscribe(self._probe)
            self._subscribed = {self._probe}
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(pubsub))
                tasks.create_task(self._read(pubsub))
        finally:
            self._subscribed = set()
            await pubsub.aclose()  # type: ignore[no-untyped-call]
            await client.aclose()

    async def _write(self, pubsub: PubSub) -> None:
        """Keep what the connection is subscribed to equal to what is followed."""
        while True:
            self._changed.clear()
            wanted = {self._probe, *self._followers}
            new, old = wanted - self._subscribed, self._subscribed - wanted
            self._subscribed = wanted
            with translated():
                if new:
                    await pubsub.subscribe(*new)
                if old:
                    await pubsub.unsubscribe(*old)
            await self._changed.wait()

    async def _read(self, pubsub: PubSub) -> None:
        """Hand out what comes; probe when nothing does."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            with translated():
                message = await pubsub.get_message(timeout=_PROBE_AFTER)
            if message is not None:
                heard = loop.time()
                self._deliver(message)
                continue
            if loop.time() - heard > _DEAD_AFTER:
                raise StoreUnavailableError("no answer to the probe")
            with translated():
                await self._store.commands.publish(self._probe, b"")

    def _deliver(self, message: dict[str, object]) -> None:
        channel, data = message["channel"], message["data"]
        assert isinstance(channel, bytes)
        followers = self._followers.get(channel.decode(), ())
        if not followers:
            return
        if message["type"] == "message" and isinstance(data, bytes):
            seq, _, event = data.partition(b" ")
            hint = (int(seq), event)
            for follower in followers:
                follower.push(hint)
        elif message["type"] == "subscribe":
            for follower in followers:
                follower.mark_gap()
