"""The pool: a worker's accounts, and the places that its turns take in them."""

import asyncio
import contextlib
from collections.abc import Collection, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

import structlog

from wire.errors import StoreUnavailableError
from wire.ledger import PICTURES, AccountRecord, AccountSlot, AccountStatus, DisplayState, Ledger, NoCapacity
from wire.redis.retry import retry_unavailable
from worker.accounts.account import Account
from worker.accounts.penalties import NO_PENALTY, Penalty
from worker.accounts.ranking import provider_name, rank
from worker.accounts.watcher import DirectoryWatcher
from worker.settings import WorkerSettings

# Seconds: how long a place is kept beyond the longest answer, and how long its end is told again while Redis is away.
_MARGIN = 60.0
_PATIENCE = 30.0
# How soon a busy account is looked at again, in seconds.
_LOOK_AGAIN = 0.25
REFRESH_INTERVAL = 2.0
_LOG = structlog.get_logger()


class NoAccountError(Exception):
    """No account may be asked; `returns` is in how many seconds the first one may be, None if that isn't known."""

    def __init__(self, returns: float | None, reason: str) -> None:
        super().__init__("no account may be asked")
        self.returns = returns
        self.reason = reason


@dataclass(frozen=True)
class ReservationRequest:
    """What a place is wanted for: any of the accounts `names`, or after up to `wait` seconds the one that returns."""

    names: Collection[str]
    pictures: bool = False
    wait: float = 0.0


class Reservation:
    """A place in an account for one attempt."""

    def __init__(self, pool: "AccountPool", account: Account, entry: str, place: AccountSlot) -> None:
        self.account = account
        self._pool = pool
        self._entry = entry
        self._place = place

    async def release(self, consequence: Penalty, *, sent: bool) -> None:
        """Free the place, and say how the attempt ended; that is said also when the caller is cancelled meanwhile."""
        await asyncio.shield(self.release_soon(consequence, sent=sent))

    def release_soon(self, consequence: Penalty, *, sent: bool) -> asyncio.Task[None]:
        """The same, beside whatever comes next."""
        return self._pool.spawn(self._pool.record(self._entry, self.account, self._place, consequence, sent=sent))


class AccountPool:
    """The accounts of one worker. How they stand is the ledger's to know, for all workers together."""

    def __init__(
        self,
        settings: WorkerSettings,
        ledger: Ledger,
        worker: str,
        accounts: Iterable[Account],
        folder: DirectoryWatcher | None = None,
        *,
        refresh_every: float = REFRESH_INTERVAL,
    ) -> None:
        self.worker = worker
        self._refresh_every = refresh_every
        self._folder = folder
        self._settings = settings
        self._ledger = ledger
        self._accounts = {account.name: account for account in accounts}
        # As last seen: what a ledger that was lost is told.
        self.statuses: dict[str, AccountStatus] = {}
        # Up to which change of an account (Standing.since) the log tells, and where that left it.
        self._logged: dict[str, tuple[int, DisplayState]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # How many turns wait for an account's return now.
        self._patient = 0

    def __len__(self) -> int:
        return len(self._accounts)

    def names(self, *, pictures: bool) -> list[str]:
        """The accounts' names; only of those that make them, if `pictures` are wanted."""
        return [name for name, account in self._accounts.items() if account.draws or not pictures]

    @property
    def own_statuses(self) -> list[AccountStatus]:
        """How these accounts stand, for chat and for pictures, as last seen."""
        entries = [entry for account in self._accounts.values() for entry in self._entries(account)]
        return [self.statuses[entry] for entry in entries if entry in self.statuses]

    def get(self, name: str) -> Account | None:
        """The account of that name, if it is still there."""
        return self._accounts.get(name)

    async def replace(self, accounts: Iterable[Account]) -> None:
        """Go on with these accounts. Running turns keep theirs. StoreUnavailableError: the next refresh tells."""
        self._accounts = {account.name: account for account in accounts}
        await self.announce()

    async def announce(self) -> None:
        """Tell the ledger which accounts there are, and what was last known of them. StoreUnavailableError."""
        for account in list(self._accounts.values()):
            for entry in self._entries(account):
                if await self._ledger.announce(
                    self._known(account, entry), self.statuses.get(entry, AccountStatus(entry))
                ):
                    _LOG.info("account has a new cookie, ready again", account=entry)

    @staticmethod
    def _entries(account: Account) -> list[str]:
        """Its names in the ledger."""
        return [account.name, account.name + PICTURES] if account.draws else [account.name]

    def _known(self, account: Account, entry: str) -> AccountRecord:
        turns = self._settings.account_turns if account.turns is None else account.turns
        return AccountRecord(
            entry,
            account.fingerprint,
            account.weight,
            turns,
            account.daily or 0,
            int(account.expires or 0),
            provider_name(account, self._settings),
        )

    async def vacate(self, dead: str) -> None:
        """Free the places of a worker that died. StoreUnavailableError."""
        await self._ledger.free_slots(dead)

    async def run(self) -> None:
        """Follow what changes in the folder, and keep the ledger and the worker's picture of it fresh, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh())
            if self._folder is not None:
                tasks.create_task(self._watch(self._folder))

    async def _watch(self, folder: DirectoryWatcher) -> None:
        async with aclosing(folder.changes()) as changes:
            async for contents in changes:
                folder.log_problems(contents)
                before, now = self._accounts.keys(), {account.name for account in contents.accounts}
                _LOG.info("accounts changed", added=sorted(now - before), removed=sorted(before - now))
                with contextlib.suppress(StoreUnavailableError):  # the next refresh tells
                    await self.replace(contents.accounts)

    async def _refresh(self) -> None:
        while True:
            try:
                await self.announce()
                await self.refresh()
            except StoreUnavailableError:
                pass  # the heartbeat tells of it
            await asyncio.sleep(self._refresh_every)

    async def refresh(self) -> None:
        """Look how all accounts stand, and log what became of these ones elsewhere. StoreUnavailableError."""
        self.statuses = {one.name: one for one in await self._ledger.read_statuses()}
        for one in self.own_statuses:
            _, before = self._logged.setdefault(one.name, (one.since, one.display_state))
            self._log_change(one.name, before, one.display_state, one.since, one.reason, one.until)

    async def reserve(self, place: AccountSlot, wish: ReservationRequest, until: float) -> Reservation:
        """A place in the one of the wished accounts that has the most room.

        Waits for a turn's end up to `until` (loop time). NoAccountError, StoreUnavailableError.
        """
        async with AsyncExitStack() as patience:
            return await self._reserve(place, wish, until, patience)

    async def _reserve(
        self, place: AccountSlot, wish: ReservationRequest, until: float, patience: AsyncExitStack
    ) -> Reservation:
        loop, accounts, waits = asyncio.get_running_loop(), self._accounts, False
        longest = min(loop.time() + wish.wait, until)
        while True:
            found = await self._try_reserve(place, wish, until)
            if isinstance(found, str):
                return Reservation(self, accounts[found.removesuffix(PICTURES)], found, place)
            returns = None if found.returns < 0 else found.returns / 1000
            if found.busy and loop.time() < until:
                await asyncio.sleep(_LOOK_AGAIN)
            elif returns is not None and loop.time() + returns < longest and (waits or self._may_wait):
                if not waits:
                    waits = True
                    patience.enter_context(self._waiting())
                await asyncio.sleep(min(returns + 0.001, 1.0))
            else:
                raise NoAccountError(returns, found.reason)

    @property
    def _may_wait(self) -> bool:
        """Half of the slots are for those that needn't wait for an account's return."""
        return self._patient < max(1, self._settings.worker_slots // 2)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        self._patient += 1
        try:
            yield
        finally:
            self._patient -= 1

    async def _try_reserve(self, place: AccountSlot, wish: ReservationRequest, until: float) -> str | NoCapacity:
        suffix = PICTURES if wish.pictures else ""
        entries = {
            name + suffix: rank(self._accounts[name], self._settings) for name in self.names(pictures=wish.pictures)
        }
        chosen = {entry: entries[entry] for entry in (name + suffix for name in wish.names) if entry in entries}
        besides = entries.keys() - chosen.keys()
        hold = self._settings.answer_timeout + _MARGIN
        try:
            return await retry_unavailable(lambda: self._ledger.reserve(place, chosen, hold, besides), until)
        except asyncio.CancelledError:
            # The place may be taken by now.
            for entry in chosen:
                account = self._accounts[entry.removesuffix(PICTURES)]
                self.spawn(self.record(entry, account, place, NO_PENALTY, sent=False))
            raise

    async def record(
        self, entry: str, account: Account, place: AccountSlot, consequence: Penalty, *, sent: bool
    ) -> None:
        """Tell the ledger how an attempt ended; what can't be told lapses by itself."""
        until = asyncio.get_running_loop().time() + _PATIENCE
        try:
            change = await retry_unavailable(
                lambda: self._ledger.record(
                    entry,
                    place,
                    account.fingerprint,
                    consequence.outcome,
                    consequence.reason,
                    sent=sent,
                    pause=consequence.pause,
                ),
                until,
            )
        except StoreUnavailableError as error:
            _LOG.warning("the ledger could not be told how a turn ended", account=entry, cause=str(error))
            return
        if change.state != change.before:
            self._log_change(entry, change.before, change.state, change.since, consequence.reason, change.until)

    def _log_change(
        self, entry: str, before: DisplayState, state: DisplayState, since: int, reason: str, until: int
    ) -> None:
        """Once for each change, whether a turn of this worker brought it about or a refresh finds it."""
        logged, _ = self._logged.get(entry, (0, before))
        if since <= logged:
            return
        self._logged[entry] = since, state
        level = _LOG.info if state in ("ready", "paused") else _LOG.warning
        level("account changed", account=entry, before=before, state=state, reason=reason, until=until)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside all else; `close` waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self, limit: float) -> None:
        """Wait for what still has to be told, `limit` seconds at most."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=limit)
            for task in left:
                task.cancel()
