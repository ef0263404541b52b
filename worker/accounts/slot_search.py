"""The search of one turn for an account's slot, and the bounds of how many turns of a worker wait."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import ExitStack

from wire.ledger import PICTURES, NoCapacity
from worker.accounts.reservation import NoAccountError, Reservation, ReservationRequest
from worker.accounts.room import LOOK_AGAIN, AccountRoom
from worker.accounts.wait_limit import WaitLimit
from worker.accounts.waiting_lines import WaitingLines

# Seconds for which a preferred account is waited for that is busy.
_PREFERENCE = 1.0
# Seconds between two looks at an account that returns, at most.
_LOOK_RETURN = 1.0
# A part of the slots, and how many turns of one client, may wait for the account of their conversation, and for the
# return of an account.
_SHARE = 4
_OWN_EACH = 1
_RETURN_EACH = 2
# What room there is belongs to turns of the client that came before, or to other clients.
_BEHIND_OTHERS = NoCapacity(busy=True, returns=-1, reason="", shared=True)

# Asks the ledger once; whether the preferred account is waited for.
Attempt = Callable[[bool], Awaitable[Reservation | NoCapacity]]


def waiting_share(slots: int) -> int:
    """Return how many of a worker's turns may wait for one kind of thing."""
    return max(1, slots // _SHARE)


class WaitingTurns:
    """The turns of one worker that wait for accounts; the first of a line asks every `pause` seconds.

    `takes_any` returns whether accounts are all that the worker has: who waits for others leaves their room to others.
    """

    def __init__(
        self, slots: int, room: AccountRoom, takes_any: Callable[[Collection[str]], bool], *, pause: float = LOOK_AGAIN
    ) -> None:
        self.room = room
        self.takes_any = takes_any
        self.pause = pause
        self.lines = WaitingLines(lambda: room.has_room)
        self.own = WaitLimit(waiting_share(slots), _OWN_EACH)
        self.returning = WaitLimit(waiting_share(slots), _RETURN_EACH)


class SlotSearch:
    """One turn's search. `attempt` asks the ledger; busy accounts are waited for up to `until` (loop time)."""

    def __init__(self, turns: WaitingTurns, request: ReservationRequest, until: float, attempt: Attempt) -> None:
        now = asyncio.get_running_loop().time()
        self._turns = turns
        self._request = request
        self._until = until
        self._attempt = attempt
        suffix = PICTURES if request.pictures else ""
        self._accounts = frozenset(name + suffix for name in request.names)
        self._preferred = frozenset({request.preferred + suffix})
        # Until when the preferred account is waited for, and the return of an account.
        self._preferred_until = min(now + _PREFERENCE, until) if request.preferred else now
        self._return_until = min(now + request.wait, until)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def run(self) -> Reservation:
        """Return the slot that was found. NoAccountError, StoreUnavailableError."""
        with self._turns.room.seek():
            reply = await self._begin()
            while isinstance(reply, NoCapacity):
                reply = await self._wait(reply)
            return reply

    async def _begin(self) -> Reservation | NoCapacity:
        """Ask, unless others of the client wait already for the same accounts: they come first.

        Another client may get what this one doesn't, where its questions have failed.
        """
        if self._now < self._until and self._turns.lines.has(self._accounts, self._request.client):
            self._preferred_until = self._now
            return _BEHIND_OTHERS
        if not self._turns.own.admits(self._request.client):
            self._preferred_until = self._now
        return await self._attempt(self._now < self._preferred_until)

    async def _wait(self, reply: NoCapacity) -> Reservation | NoCapacity:
        """Wait as `reply` and the bounds allow, and return the next reply. NoAccountError."""
        returns = _seconds(reply)
        if reply.busy and self._now < self._until:
            if not (self._request.own or self._now < self._preferred_until):
                return await self._wait_in_line(shared=reply.shared)
            if self._turns.own.admits(self._request.client):
                return await self._wait_for_own()
            if not self._request.own:
                self._preferred_until = self._now
                return await self._attempt(False)
        elif self._may_return(returns) and self._turns.returning.admits(self._request.client):
            return await self._wait_for_return(reply)
        raise NoAccountError(returns, reply.reason, busy=reply.busy)

    async def _wait_in_line(self, *, shared: bool) -> Reservation | NoCapacity:
        """Wait for whichever of the accounts gets free; `shared`: what is free now is for others."""
        aside = shared or not self._turns.takes_any(self._accounts)
        with self._turns.room.wait():
            return await self._ask_in_turn(self._accounts, self._until, patient=False, aside=aside)

    async def _wait_for_own(self) -> Reservation | NoCapacity:
        """Wait for the account of the conversation, or for the preferred one."""
        accounts, until = self._accounts, self._until
        if not self._request.own:
            accounts, until = self._preferred, self._preferred_until
        with self._turns.own.hold(self._request.client):
            return await self._ask_in_turn(accounts, until, patient=True, aside=True)

    async def _ask_in_turn(
        self, accounts: frozenset[str], until: float, *, patient: bool, aside: bool
    ) -> Reservation | NoCapacity:
        """Ask in the line for `accounts`, up to `until`; return the first reply other than that all are busy.

        `aside`: leave their room to others meanwhile, as where it is for other clients.
        """
        turns, client = self._turns, self._request.client
        with ExitStack() as stack:
            place = stack.enter_context(turns.lines.join(accounts, client))
            if aside:
                stack.enter_context(turns.room.stand_aside())
            while True:
                await place.wait(turns.pause, until)
                reply = await self._attempt(patient and self._now < until)
                if not (isinstance(reply, NoCapacity) and reply.busy) or self._now >= until:
                    return reply
                if not reply.shared:
                    continue
                turns.lines.let_others_ask(accounts, place)
                if not aside:
                    aside = True
                    stack.enter_context(turns.room.stand_aside())

    def _may_return(self, returns: float | None) -> bool:
        """Return whether an account returns in time."""
        return returns is not None and self._now + returns < self._return_until

    async def _wait_for_return(self, reply: NoCapacity) -> Reservation | NoCapacity:
        """Wait for the account that returns first; the bound admits this turn until it gets another kind of reply."""
        with self._turns.returning.hold(self._request.client), self._turns.room.stand_aside():
            while True:
                await asyncio.sleep(min((_seconds(reply) or 0.0) + 0.001, _LOOK_RETURN))
                following = await self._attempt(False)
                if not isinstance(following, NoCapacity) or following.busy or not self._may_return(_seconds(following)):
                    return following
                reply = following


def _seconds(reply: NoCapacity) -> float | None:
    """Return in how many seconds the first account returns; None if none does by itself."""
    return None if reply.returns < 0 else reply.returns / 1000
