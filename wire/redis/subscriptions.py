"""One pub/sub connection a process, watched by a probe, for all answers that the process follows.

Pub/sub is only a hint: a message may be lost, and the follower then reads the log. Every possible loss of messages (a
new connection, a full queue) reaches the follower as `GAP`.
"""

import asyncio
import itertools
import secrets
from collections import Counter
from functools import partial
from types import TracebackType
from typing import Any, Final

import structlog

from wire import keys
from wire.errors import StoreUnavailableError
from wire.joint_tasks import run_together
from wire.redis.connection import RedisConnection
from wire.redis.memory import MemoryConnection
from wire.redis.store import Store

# How many hints wait for a follower before it has to read the log instead.
_WAITING = 256
# Seconds without a message, at most, before a follower reads the log: the loss of the last one leaves no gap.
SILENCE = 1.5
# Each follower is checked a few times in these seconds. A few are checked together, more of them a share at a time, so
# that not all read at once.
_CHECKS = 3
_SHARES = 12
_FEW = 24
# Seconds without a message from Redis before it is probed, and before the connection is replaced.
_PROBE_AFTER = 0.5
_DEAD_AFTER = 1.5
_RECONNECT_PAUSE = 0.1
# Channels of answers that have ended are unsubscribed from together: so many, those of a pause, or with the next that
# is followed.
_LEFT_TOGETHER = 64
# What messages are called where pub/sub is a shard's own.
_OF_A_SHARD = {b"smessage": b"message", b"ssubscribe": b"subscribe"}
_LEAVE_SHARD, _LEFT_SHARD = "SUNSUBSCRIBE", b"sunsubscribe"
_LOG = structlog.get_logger()

Hint = tuple[int, bytes]
GAP: Final = None


class Subscription:
    """One follower's place on a channel."""

    __slots__ = ("_checks", "_early", "_gap", "_hints", "_waiter")

    def __init__(self, *, early: bool = False) -> None:
        # A list, for an empty deque takes half a kilobyte; it is bounded, and nearly always short.
        self._hints: list[Hint] = []
        self._gap = False
        self._early = early
        self._waiter: asyncio.Future[None] | None = None
        # How many checks the current wait has lasted.
        self._checks = 0

    def push(self, hint: Hint) -> None:
        """Add a message."""
        if len(self._hints) >= _WAITING:
            self._hints.clear()
            self._gap = True
        if not self._gap:
            self._hints.append(hint)
        self._wake()

    def take_event(self, seq: int) -> bytes | None:
        """Take the next hint's event, if it has arrived and is of this seq."""
        return self._hints.pop(0)[1] if self._hints and self._hints[0][0] == seq else None

    def mark_gap(self) -> None:
        """Record that messages may have been lost."""
        self._hints.clear()
        self._gap = True
        self._wake()

    def mark_subscribed(self) -> None:
        """Record that messages arrive from now on: whoever follows early enough has missed none."""
        if self._early:
            self._early = False
        else:
            self.mark_gap()

    def mark_late(self) -> None:
        """Record that the subscription takes longer than usual."""
        self._early = False

    async def next(self) -> Hint | None:
        """Wait for the next hint, or GAP when messages may have been lost, or none came for several checks."""
        if not self._hints and not self._gap:
            self._checks = 0
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._gap:
            self._gap = False
            return GAP
        return self._hints.pop(0) if self._hints else GAP

    def check_silence(self) -> None:
        """End a wait that has lasted for several checks."""
        self._checks += 1
        if self._checks >= _CHECKS:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Subscriptions:
    """The process's pub/sub connection. An async context manager that owns its reader and its writer.

    Followers never wait for the connection, so that a follower's cancellation can't break it for all others.
    """

    def __init__(self, store: Store, *, silence: float = SILENCE) -> None:
        self._store = store
        self._check_interval = silence / _CHECKS / _SHARES
        self._followers: dict[str, tuple[Subscription, ...]] = {}
        self._connection: RedisConnection | MemoryConnection | None = None
        # The channels that the connection subscribed to, and of these the ones that nobody follows any more. `_changed`
        # wakes who unsubscribes from these.
        self._subscribed: set[str] = set()
        self._left: set[str] = set()
        # Of channels of a shard's own pub/sub, how often it has yet to confirm that they were left.
        self._leaving = Counter[str]()
        self._changed = asyncio.Event()
        self._probe = keys.probe_channel(secrets.token_hex(8))
        self._supervisor: asyncio.Task[None] | None = None
        self._last_message = 0.0
        # One timer for all waits: a timer for each takes more memory than all else that a subscription has.
        self._timer: asyncio.TimerHandle | None = None
        self._shares: list[set[Subscription]] = [set() for _ in range(_SHARES)]
        self._added = 0
        self._checked = 0

    async def __aenter__(self) -> "Subscriptions":
        self._loop = asyncio.get_running_loop()
        self._supervisor = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._supervisor is not None
        if self._timer is not None:
            self._timer.cancel()
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)

    @property
    def channel_count(self) -> int:
        """The number of channels that are followed now."""
        return len(self._followers)

    def add(self, channel: str, *, early: bool = False) -> Subscription:
        """Follow a channel, without waiting for the subscription, which arrives as a first GAP.

        `early`: nothing is published before that, so that there is no such GAP, unless connecting takes long. Should
        something be published all the same, the next message or silence shows it.
        """
        subscription = Subscription(early=early and bool(self._subscribed))
        if channel in self._subscribed:
            subscription.mark_subscribed()
            self._left.discard(channel)
        elif self._connection is not None:
            self._subscribe(self._connection, channel)
        self._followers[channel] = (*self._followers.get(channel, ()), subscription)
        self._added += 1
        self._shares[self._added % _SHARES].add(subscription)
        if self._timer is None:
            self._schedule_check()
        return subscription

    def remove(self, channel: str, subscription: Subscription, *, ended: bool = False) -> None:
        """Stop following. `ended`: nothing is published there any more, so that Redis may hear of it later."""
        for share in self._shares:
            share.discard(subscription)
        left = tuple(follower for follower in self._followers[channel] if follower is not subscription)
        if left:
            self._followers[channel] = left
            return
        del self._followers[channel]
        if channel in self._subscribed:
            self._left.add(channel)
        if not ended or len(self._left) >= _LEFT_TOGETHER:
            self._changed.set()

    def _schedule_check(self) -> None:
        shares = _SHARES if self._has_few else 1
        self._timer = asyncio.get_running_loop().call_later(shares * self._check_interval, self._check_followers)

    @property
    def _has_few(self) -> bool:
        return sum(map(len, self._shares)) <= _FEW

    def _check_followers(self) -> None:
        """Wake those that have waited too long, of few or of the next share; repeat this as long as there are any."""
        self._checked += 1
        due = self._shares if self._has_few else [self._shares[self._checked % _SHARES]]
        for follower in itertools.chain.from_iterable(due):
            follower.check_silence()
        self._timer = None
        if self._followers:
            self._schedule_check()

    async def _run(self) -> None:
        while True:
            try:
                await self._serve_connection()
            except StoreUnavailableError as error:
                _LOG.warning("pub/sub connection lost, connecting again", cause=str(error))
            await asyncio.sleep(_RECONNECT_PAUSE)

    async def _serve_connection(self) -> None:
        """Serve one connection until it is lost, then raise."""
        connection = await self._store.connect_pubsub(self._on_message)
        try:
            self._last_message = self._loop.time()
            self._left = set()
            self._leaving.clear()
            self._subscribe(connection, self._probe, *self._followers)
            self._connection = connection
            await run_together([partial(self._unsubscribe, connection), partial(self._watch, connection)])
        finally:
            self._connection, self._subscribed = None, set()
            for follower in itertools.chain.from_iterable(self._followers.values()):
                follower.mark_late()
            await connection.close()

    def _subscribe(self, connection: RedisConnection | MemoryConnection, *channels: str) -> None:
        """Subscribe at once: before the job that the caller submits next, however long a round of the loop takes."""
        subscribe, _ = self._store.subscribe_commands
        self._subscribed.update(channels)
        connection.send(subscribe, *channels)

    async def _unsubscribe(self, connection: RedisConnection | MemoryConnection) -> None:
        """Unsubscribe, soon, from the channels that nobody follows any more."""
        _, unsubscribe = self._store.subscribe_commands
        while True:
            self._changed.clear()
            old, self._left = self._left, set()
            self._subscribed -= old
            if old:
                if unsubscribe == _LEAVE_SHARD:
                    self._leaving.update(old)
                connection.send(unsubscribe, *old)
            await self._changed.wait()

    async def _watch(self, connection: RedisConnection | MemoryConnection) -> None:
        """Probe the connection when nothing arrives; raise when it is lost. Let go of the channels that were left."""
        while True:
            await asyncio.wait({connection.lost}, timeout=_PROBE_AFTER)
            if self._left:
                self._changed.set()
            if connection.lost.done():
                raise StoreUnavailableError(connection.lost.result())
            silent = self._loop.time() - self._last_message
            if silent > _DEAD_AFTER:
                raise StoreUnavailableError("no answer to the probe")
            if silent > _PROBE_AFTER / 2:
                await self._store.publish(self._probe, b"")

    def _on_message(self, message: Any) -> None:
        """Pass a message to the channel's followers. ValueError if it is not one of ours.

        StoreUnavailableError, which ends the connection, if its node publishes no more what it was asked for.
        """
        self._last_message = self._loop.time()
        kind, channel, data = message
        kind = _OF_A_SHARD.get(kind, kind)
        if kind == _LEFT_SHARD:
            self._on_left(channel.decode())
            return
        followers = self._followers.get(channel.decode(), ())
        if not followers:
            return
        if kind == b"message":
            seq, _, event = data.partition(b" ")
            hint = (int(seq), event)
            for follower in followers:
                follower.push(hint)
        elif kind == b"subscribe":
            for follower in followers:
                follower.mark_subscribed()

    def _on_left(self, channel: str) -> None:
        if not self._leaving[channel]:
            raise StoreUnavailableError("the channel's slot is at another node now")
        self._leaving[channel] -= 1
        if not self._leaving[channel]:
            del self._leaving[channel]
