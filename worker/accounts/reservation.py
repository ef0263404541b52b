"""Reservations of accounts' slots: what a turn asks for, gets, or is refused."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from worker.accounts.account import Account
from worker.accounts.penalties import Penalty


class NoAccountError(Exception):
    """No account can be used; the first one can be again in `returns` seconds, None if that is unknown.

    `busy`: the end of a turn makes room before.
    """

    def __init__(self, returns: float | None, reason: str, *, busy: bool = False) -> None:
        super().__init__("no account may be asked")
        self.returns = returns
        self.reason = reason
        self.busy = busy


@dataclass(frozen=True)
class ReservationRequest:
    """A request for any of the accounts `names`, or for the first that returns within `wait` seconds.

    `preferred` is the one to take unless it is busy for long. `others` are those whose return would help as well; None
    is all that there are. `client` is whose turn it is, of what `weight`: those where its questions failed lately come
    last, and are no choice if it `avoids` them. `own`: `names` is the account of the turn's conversation; while it is
    busy few turns wait for it, and the others are refused at once (NoAccountError, busy).
    """

    names: Collection[str]
    pictures: bool = False
    wait: float = 0.0
    preferred: str = ""
    others: Collection[str] | None = None
    client: str = ""
    weight: int = 1
    avoids: bool = False
    own: bool = False


class Reservation:
    """One of an account's slots, held for one attempt; `end` records how that ended."""

    def __init__(self, account: Account, end: Callable[[Penalty, bool], asyncio.Task[None]]) -> None:
        self.account = account
        self._end = end

    async def release(self, penalty: Penalty, *, sent: bool) -> None:
        """Free the slot and record how the attempt ended, even if the caller is cancelled meanwhile."""
        await asyncio.shield(self.release_soon(penalty, sent=sent))

    def release_soon(self, penalty: Penalty, *, sent: bool) -> asyncio.Task[None]:
        """Free the slot and record how the attempt ended, in a task of its own."""
        return self._end(penalty, sent)
