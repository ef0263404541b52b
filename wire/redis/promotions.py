"""Replicas that sentinels promote, by what they publish. See https://valkey.io/topics/sentinel/ for their messages."""

import asyncio
from typing import NamedTuple

from wire.redis.address import Endpoint

_EPOCH, _ATTEMPT, _VOTE = "+new-epoch", "+try-failover", "+vote-for-leader"
# A sentinel says it of the replica that it is about to promote.
_PROMOTES = "+failover-state-send-slaveof-noone"
_ABORTS = tuple(
    f"-failover-abort-{reason}" for reason in ("not-elected", "no-good-slave", "master-timeout", "slave-timeout")
)
# The channels that have all of this.
CHANNELS = (_EPOCH, _ATTEMPT, _VOTE, _PROMOTES, *_ABORTS)
# Seconds that the others have to agree to a promotion.
_LONGEST = 10.0


class Promotion(NamedTuple):
    """A replica that is promoted while its primary may still serve: what that takes from then on is thrown away.

    `sentinel` is the number of the one that promotes it and `epoch` that of its attempt, 0 where that isn't known.
    """

    old: Endpoint
    new: Endpoint
    sentinel: int
    epoch: int
    until: float


class _Vote(NamedTuple):
    leader: str
    epoch: int


class Promotions:
    """What so many sentinels have published about fail-overs of a service.

    Each votes once in an epoch, so that an epoch has one leader at most. A sentinel that is ordered to fail over asks
    for no votes, unless the primary is to hand over (COORDINATED). Epochs and votes are those of all services; an
    attempt's epoch is the last one that its sentinel has begun.
    """

    def __init__(self, service: str, sentinels: int) -> None:
        self._service = service
        self._sentinels = sentinels
        # Of each sentinel.
        self._epochs: dict[int, int] = {}
        self._attempts: dict[int, int] = {}
        self._votes: dict[int, _Vote] = {}
        self._latest: Promotion | None = None

    def record(self, sentinel: int, channel: str, content: str) -> bool:
        """Take note of a sentinel's message; return whether the primary may be another one by it."""
        words = content.split(" ")
        if channel == _EPOCH:
            self._epochs[sentinel] = int(words[0])
        elif channel == _VOTE:
            self._votes[sentinel] = _Vote(words[0], int(words[1]))
        elif channel == _ATTEMPT and words[1] == self._service:
            self._attempts[sentinel] = self._epochs.get(sentinel, 0)
        elif channel == _PROMOTES and words[5] == self._service:
            return self._begin(sentinel, words)
        elif channel in _ABORTS and self._service in words and self._latest and self._latest.sentinel == sentinel:
            self._latest = None
            return True
        return False

    def _begin(self, sentinel: int, words: list[str]) -> bool:
        """Take note of a promotion, unless it is of an older epoch than one that is in progress."""
        _, _, host, port, _, _, old_host, old_port = words
        now, epoch = asyncio.get_running_loop().time(), self._attempts.get(sentinel, 0)
        if self._latest and self._latest.epoch > epoch and self._latest.until > now:
            return False
        old, new = Endpoint(old_host, int(old_port)), Endpoint(host, int(port))
        self._latest = Promotion(old, new, sentinel, epoch, now + _LONGEST)
        return True

    def forget_votes(self, sentinel: int) -> None:
        """Forget what a sentinel has said of epochs and votes: later words of it may have been missed."""
        for words in (self._epochs, self._attempts, self._votes):
            words.pop(sentinel, None)

    def current(self, primary: Endpoint) -> Promotion | None:
        """Return the promotion that replaces this server, which most sentinels call the primary; None without any."""
        latest = self._latest
        if latest and (primary != latest.old or asyncio.get_running_loop().time() > latest.until):
            self._latest = latest = None
        return latest

    def is_elected(self, promotion: Promotion) -> bool:
        """Return whether most sentinels have last voted for the one that promotes it, in the epoch of its attempt."""
        vote = self._votes.get(promotion.sentinel)
        if vote is None or vote.epoch != promotion.epoch:
            return False
        return 2 * list(self._votes.values()).count(vote) > self._sentinels
