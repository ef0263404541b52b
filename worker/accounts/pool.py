"""The pool of a worker's accounts, and its turns' reservations in them."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import aclosing
from typing import Any

import structlog

from wire.errors import StoreUnavailableError
from wire.ledger import (
    PICTURES,
    AccountChange,
    AccountRecord,
    AccountSlot,
    AccountStatus,
    DisplayState,
    Ledger,
    NoCapacity,
)
from wire.messages import Operation
from wire.model_table import STYLES, ModelTable, Offer
from wire.needs import Ability
from wire.redis.retry import retry_unavailable
from wire.shared_read import SharedRead
from worker.accounts.account import Account, CookieAccount
from worker.accounts.config import Aliases
from worker.accounts.penalties import NO_PENALTY, Penalty
from worker.accounts.ranking import ProviderOrder
from worker.accounts.reservation import Reservation, ReservationRequest
from worker.accounts.room import AccountRoom
from worker.accounts.slot_search import SlotSearch, WaitingTurns
from worker.accounts.watcher import DirectoryWatcher
from worker.settings import WorkerSettings

# Seconds that a reservation lasts beyond the longest answer, and for which its end is sent again while Redis is away.
_MARGIN = 60.0
_PATIENCE = 30.0
REFRESH_INTERVAL = 2.0
_LOG = structlog.get_logger()


class AccountPool:
    """The accounts of one worker. The ledger keeps their state for all workers."""

    def __init__(
        self,
        settings: WorkerSettings,
        ledger: Ledger,
        worker: str,
        accounts: Iterable[Account],
        provider_order: ProviderOrder,
        folder: DirectoryWatcher | None = None,
        *,
        refresh_every: float = REFRESH_INTERVAL,
    ) -> None:
        self.worker = worker
        self._refresh_every = refresh_every
        self._folder = folder
        self._settings = settings
        self._ledger = ledger
        self._provider_order = provider_order
        self._accounts = {account.name: account for account in accounts}
        self._aliases = folder.aliases if folder else Aliases()
        # The models of all workers' accounts.
        self.models = SharedRead(ledger.read_models)
        # As last seen, to restore a ledger that was lost.
        self.statuses: dict[str, AccountStatus] = {}
        # The last change of each account (AccountStatus.since) that was logged, and the state after it.
        self._logged: dict[str, tuple[int, DisplayState]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # An announcement from before a change that arrived after it would bring the old cookie back.
        self._announcing = asyncio.Lock()
        # Called when there is room again, after there was none.
        self.on_room: Callable[[], None] = lambda: None
        self._room = AccountRoom(self._count_room, self._notify_room)
        self._turns = WaitingTurns(settings.worker_slots, self._room, lambda names: self._accounts.keys() <= set(names))

    def __len__(self) -> int:
        return len(self._accounts)

    def names(self, *, pictures: bool) -> list[str]:
        """Return the accounts' names; for `pictures` only of those that make images."""
        makes_images = self._provider_order.makes_images
        return [name for name, account in self._accounts.items() if not pictures or makes_images(account)]

    def names_for(self, model: str, needs: Collection[Ability], table: ModelTable) -> list[str]:
        """Return the names of the accounts that have the model and can do what is needed.

        `table` knows what the servers list.
        """
        listed = {account.name: account.models for account in table.accounts}
        return [
            name
            for name, account in self._accounts.items()
            if (model in STYLES or model in account.models or (account.lists_models and model in listed.get(name, ())))
            and account.abilities.issuperset(needs)
        ]

    def names_calling(self, model: str, operation: Operation, table: ModelTable) -> list[str]:
        """Return the names of the accounts that have the model, by its exact name, and can be called for it."""
        named = [] if model in STYLES else self.names_for(model, (), table)
        return [name for name in named if operation in self._provider_order.operations(self._accounts[name])]

    @property
    def accounts(self) -> list[Account]:
        """The accounts."""
        return list(self._accounts.values())

    @property
    def own_statuses(self) -> list[AccountStatus]:
        """The last known status of these accounts, for chat and for images."""
        entries = [entry for account in self._accounts.values() for entry in self._entries(account)]
        return [self.statuses[entry] for entry in entries if entry in self.statuses]

    def longest_answer(self, settings: WorkerSettings) -> float:
        """Return how long an answer of the account with the longest limit may take, in seconds."""
        limits = (account.answer_limit(settings) for account in self._accounts.values())
        return max(limits, default=settings.answer_timeout)

    @property
    def room(self) -> float:
        """How many more turns the accounts can take; math.inf if they aren't limited, or a turn is refused at once."""
        return self._room.places

    def want_room(self) -> None:
        """Look for room in the ledger four times a second while there is none; `on_room` follows."""
        self._room.want()

    def _notify_room(self) -> None:
        self.on_room()

    async def _count_room(self) -> int | None:
        return await self._ledger.read_room(self.names(pictures=False), self._settings.worker_slots)

    def get(self, name: str) -> Account | None:
        """Return the account of that name, if it is still there."""
        return self._accounts.get(name)

    async def replace(self, accounts: Iterable[Account], aliases: Aliases | None = None) -> None:
        """Use these accounts and `aliases` from now on; running turns keep theirs.

        StoreUnavailableError: a refresh follows.
        """
        self._accounts = {account.name: account for account in accounts}
        self._aliases = self._aliases if aliases is None else aliases
        await self.announce()

    async def announce(self) -> None:
        """Write the accounts and their last known status to the ledger. StoreUnavailableError."""
        async with self._announcing:
            for account in list(self._accounts.values()):
                for entry in self._entries(account):
                    last = self.statuses.get(entry, AccountStatus(entry))
                    if await self._ledger.announce(self._record(account, entry), last, self.worker):
                        _LOG.info("account has a new cookie, ready again", account=entry)

    def _entries(self, account: Account) -> list[str]:
        """Return the account's names in the ledger."""
        makes_images = self._provider_order.makes_images(account)
        return [account.name, account.name + PICTURES] if makes_images else [account.name]

    def _record(self, account: Account, entry: str) -> AccountRecord:
        turns = self._settings.account_turns if account.turns is None else account.turns
        return AccountRecord(
            entry,
            account.fingerprint,
            account.weight,
            turns,
            account.daily or 0,
            int(account.expires or 0) if isinstance(account, CookieAccount) else 0,
            self._provider_order.provider_name(account),
            None if entry.endswith(PICTURES) else self._offer(account),
            self._aliases.version,
        )

    def _offer(self, account: Account) -> Offer:
        return Offer(
            account.models,
            account.lists_models,
            tuple(sorted(account.abilities)),
            isinstance(account, CookieAccount),
            dict(self._aliases.chains),
            self._settings.model_default,
            tuple(sorted(self._provider_order.operations(account))),
        )

    async def free_slots(self, worker: str) -> None:
        """Free all slots that a worker holds. StoreUnavailableError."""
        await self._ledger.free_slots(worker)

    async def run(self) -> None:
        """Follow changes of the folder, and synchronize with the ledger, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh())
            tasks.create_task(self._room.run())
            if self._folder is not None:
                tasks.create_task(self._watch(self._folder))

    async def _watch(self, folder: DirectoryWatcher) -> None:
        async with aclosing(folder.changes()) as changes:
            async for state in changes:
                folder.log_problems(state)
                before, now = self._accounts.keys(), {account.name for account in state.accounts}
                _LOG.info("accounts changed", added=sorted(now - before), removed=sorted(before - now))
                with contextlib.suppress(StoreUnavailableError):  # the next refresh announces them
                    await self.replace(state.accounts, state.aliases)

    async def _refresh(self) -> None:
        while True:
            try:
                await self.announce()
                await self.refresh()
                await self._room.refresh()
            except StoreUnavailableError:
                pass  # the heartbeat logs it
            await asyncio.sleep(self._refresh_every)

    async def refresh(self) -> None:
        """Read the status of all accounts, and log changes that other workers made. StoreUnavailableError."""
        self.statuses = {status.name: status for status in await self._ledger.read_statuses()}
        for status in self.own_statuses:
            _, before = self._logged.setdefault(status.name, (status.since, status.display_state))
            self._log_change(status.name, before, status.display_state, status.since, status.reason, status.until)

    async def reserve(self, slot: AccountSlot, request: ReservationRequest, until: float) -> Reservation:
        """Reserve a slot in the requested account that has the most room.

        Busy accounts are waited for up to `until` (loop time). NoAccountError, StoreUnavailableError.
        """
        began = asyncio.get_running_loop().time()

        async def ask(patient: bool) -> Reservation | NoCapacity:
            return await self._ask(slot, request, began, until, patient=patient)

        return await SlotSearch(self._turns, request, until, ask).run()

    async def _ask(
        self, slot: AccountSlot, request: ReservationRequest, began: float, until: float, *, patient: bool
    ) -> Reservation | NoCapacity:
        """Ask the ledger once for a slot that is looked for since `began` (loop time). StoreUnavailableError."""
        suffix, accounts = PICTURES if request.pictures else "", self._accounts
        ranks = {
            name + suffix: self._provider_order.rank(accounts[name]) for name in self.names(pictures=request.pictures)
        }
        chosen = {entry: ranks[entry] for entry in (name + suffix for name in request.names) if entry in ranks}
        others = (ranks.keys() if request.others is None else set(request.others) & ranks.keys()) - chosen.keys()
        limits = [accounts[entry.removesuffix(PICTURES)].answer_limit(self._settings) for entry in chosen]
        hold = max(limits, default=self._settings.answer_timeout) + _MARGIN
        try:
            reply = await retry_unavailable(
                lambda: self._ledger.reserve(
                    slot,
                    chosen,
                    hold,
                    others,
                    preferred=request.preferred,
                    patient=patient,
                    client=request.client,
                    weight=request.weight,
                    avoids=request.avoids,
                    waited=asyncio.get_running_loop().time() - began,
                    counted=self.names(pictures=False),
                    enough=self._settings.worker_slots,
                ),
                until,
            )
        except asyncio.CancelledError:
            # The ledger may have made the reservation.
            for entry in chosen:
                account = accounts[entry.removesuffix(PICTURES)]
                self.spawn(self._discard(entry, account, slot))
            raise
        self._room.update(reply.room)
        outcome = reply.outcome
        if isinstance(outcome, NoCapacity):
            return outcome
        return self._reservation(outcome, accounts[outcome.removesuffix(PICTURES)], slot)

    def _reservation(self, entry: str, account: Account, slot: AccountSlot) -> Reservation:
        def end(penalty: Penalty, sent: bool) -> asyncio.Task[None]:
            return self.spawn(self._end(entry, account, slot, penalty, sent=sent))

        return Reservation(account, end)

    async def _discard(self, entry: str, account: Account, slot: AccountSlot) -> None:
        """Free a slot that may have been taken."""
        await self.record(entry, account, slot, NO_PENALTY, sent=False)

    async def _end(self, entry: str, account: Account, slot: AccountSlot, penalty: Penalty, *, sent: bool) -> None:
        """Record how an attempt ended; its slot is for the turn that waits longest for it, if any does."""
        change = await self.record(entry, account, slot, penalty, sent=sent)
        self._turns.lines.wake(entry)
        if change is not None and change.state == "ready" and not entry.endswith(PICTURES):
            self._room.add_one()

    async def record(
        self, entry: str, account: Account, slot: AccountSlot, penalty: Penalty, *, sent: bool
    ) -> AccountChange | None:
        """Record in the ledger how an attempt ended; None if that fails: then the reservation expires by itself."""
        until = asyncio.get_running_loop().time() + _PATIENCE
        try:
            change = await retry_unavailable(
                lambda: self._ledger.record(
                    entry,
                    slot,
                    account.fingerprint,
                    penalty.outcome,
                    penalty.reason,
                    sent=sent,
                    pause=penalty.pause,
                    client=penalty.client,
                ),
                until,
            )
        except StoreUnavailableError as error:
            _LOG.warning("could not record how a turn ended", account=entry, cause=str(error))
            return None
        if change.state != change.before:
            self._log_change(entry, change.before, change.state, change.since, penalty.reason, change.until)
        return change

    def _log_change(
        self, entry: str, before: DisplayState, state: DisplayState, since: int, reason: str, until: int
    ) -> None:
        """Log each change once, whether a turn of this worker caused it or a refresh finds it."""
        logged, _ = self._logged.get(entry, (0, before))
        if since <= logged:
            return
        self._logged[entry] = since, state
        level = _LOG.info if state in ("ready", "paused") else _LOG.warning
        level("account changed", account=entry, before=before, state=state, reason=reason, until=until)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in a task that `close` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self, limit: float) -> None:
        """Wait for the records that are still being written, for `limit` seconds at most."""
        await self.models.close()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=limit)
            for task in unfinished:
                task.cancel()
