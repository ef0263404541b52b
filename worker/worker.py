"""One worker: its parts, its background tasks, and its orderly end."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog
from prometheus_client import Histogram

from wire.audit_log import AuditLog
from wire.errors import StoreFullError, StoreUnavailableError
from wire.ledger import AccountStatus, Ledger
from wire.redis.store import Store
from wire.redis.subscriptions import Subscriptions
from wire.reporter import Reporter
from wire.rolling_update import OutdatedProcesses
from wire.sessions import ClaimedJob, Sessions
from worker.accounts.alerts import AlertSender
from worker.accounts.remote_import import RemoteImporter
from worker.bell import Bell
from worker.dispatcher import Dispatcher
from worker.providers.lister import ModelLister
from worker.providers.prober import ServerProber
from worker.providers.registry import Upstream
from worker.reaper import Reaper
from worker.settings import WorkerSettings
from worker.turns.recent_events import LOST_SECONDS
from worker.turns.token_tally import TokenTally

_LOG = structlog.get_logger()
_AWAY_PAUSE = 0.5
# Seconds for the call that began before draining: it may bring turns, which then go back.
_LAST_TAKE = 2.0
# Seconds for each step of the end that needs Redis, such as writing the ends of turns that were cut short.
GRACE = 5.0


def new_worker_id() -> str:
    """Return the host's name, for people, with a random part that no earlier process had."""
    return f"{socket.gethostname()}-{secrets.token_hex(4)}"


class Worker:
    """One worker process. `run` serves until `drain` is called, then ends.

    `make_reporter` returns what reports the worker's status, once it is ready. `grace` is how long each step of the end
    may take, in seconds. `lost_seconds`: see LeaseTable.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        store: Store,
        upstream: Upstream,
        make_reporter: Callable[["Worker", Store], Reporter],
        *,
        grace: float = GRACE,
        lost_seconds: float = LOST_SECONDS,
    ) -> None:
        self.id = upstream.pool.worker
        self._settings = settings
        self._upstream = upstream
        self._store = store
        self._make_reporter = make_reporter
        self._ledger = Ledger(store)
        self._sessions = Sessions(store, settings, settings.lease_ttl)
        self._dispatcher = Dispatcher(upstream, self._sessions, lost_seconds=lost_seconds)
        self._heartbeat = self._dispatcher.heartbeat
        self._leases = self._dispatcher.leases
        self._grace = grace
        # Set once it takes jobs.
        self.ready = asyncio.Event()

    @property
    def turn_counts(self) -> Counter[tuple[str, str, str]]:
        """The number of ended turns by provider, outcome and reason."""
        return self._dispatcher.turn_counts

    @property
    def token_tally(self) -> TokenTally:
        """The tokens of its answers."""
        return self._dispatcher.token_tally

    @property
    def queue_wait(self) -> Histogram:
        """How long its jobs were queued, in seconds."""
        return self._dispatcher.queue_wait

    @property
    def slots(self) -> int:
        """The number of questions that may be out at once."""
        return self._settings.worker_slots

    @property
    def slots_used(self) -> int:
        """The number of taken slots."""
        return self._dispatcher.slots_used

    @property
    def lease_count(self) -> int:
        """The number of tokens that it holds, with a turn or without."""
        return self._leases.count

    @property
    def account_statuses(self) -> list[AccountStatus]:
        """The states of its accounts, as last read."""
        return self._upstream.pool.own_statuses

    @property
    def running_jobs(self) -> list[ClaimedJob]:
        """The jobs whose turns are running."""
        return self._leases.running_jobs

    @property
    def draining(self) -> bool:
        """Whether it takes no more jobs."""
        return self._dispatcher.draining.is_set()

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the last heartbeat that Redis received."""
        return self._heartbeat.age

    def drain(self) -> None:
        """Take no more jobs; `run` returns when the running turns have ended or DRAIN_TIMEOUT is over."""
        self._dispatcher.drain()
        # Others take its tokens from now on.
        self._heartbeat.hurry()

    async def run(self) -> None:
        """Serve. A background task that fails ends the worker."""
        async with Subscriptions(self._store) as subscriptions, asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._heartbeat.run())]
            await self._prepare()
            reporter = self._make_reporter(self, self._store)
            _LOG.info("worker ready", worker=self.id, accounts=len(self._upstream.pool))
            self.ready.set()
            bell = Bell(subscriptions, self.id, self._dispatcher.look, self._heartbeat.hurry)
            background += [tasks.create_task(work) for work in (*self._background(), bell.run(), reporter.run())]
            taking = tasks.create_task(self._dispatcher.run())
            await self._dispatcher.draining.wait()
            await asyncio.wait([taking], timeout=_LAST_TAKE)
            taking.cancel()
            await self._dispatcher.close(self._grace)
            await self._upstream.pool.close(self._grace)
            await self._leave(reporter)
            for task in background:
                task.cancel()
        _LOG.info("worker stopped", worker=self.id)

    def _background(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what runs beside the turns until the end."""
        pool, settings = self._upstream.pool, self._settings
        yield self._release_idle()
        yield pool.run()
        yield Reaper(self._sessions, pool).run()
        yield OutdatedProcesses(self._store).watch_logs(self._sessions.appends.allow_fast)
        yield ServerProber(pool, self._upstream.providers, self._ledger).run()
        yield ModelLister(pool, self._upstream.providers, self._ledger).run()
        importer = RemoteImporter(
            settings.cookies_dir, self._ledger, AuditLog(self._store), reserved=settings.reserved_names
        )
        yield importer.run()
        if settings.alert_webhook is not None:
            yield AlertSender(str(settings.alert_webhook), settings.alert_share, self._ledger).run()

    async def _prepare(self) -> None:
        logged = False
        while not self.draining:
            try:
                await self._upstream.pool.announce()
                await self._heartbeat.beat()
            except StoreUnavailableError as error:
                if isinstance(error, StoreFullError) and not logged:
                    # The heartbeat logs everything else.
                    _LOG.error("redis is full, trying again", cause=str(error))
                    logged = True
                await asyncio.sleep(_AWAY_PAUSE)
            else:
                return

    async def _release_idle(self) -> None:
        """Release tokens that had no work for IDLE_RELEASE seconds."""
        while True:
            await asyncio.sleep(min(1.0, self._settings.idle_release / 4))
            await self._leases.release_idle(self._settings.idle_release)

    async def _leave(self, reporter: Reporter) -> None:
        """Release what the worker holds and take it off the list of workers."""
        try:
            async with asyncio.timeout(self._grace):
                await self._leases.release_idle()
                await self._upstream.pool.free_slots(self.id)
                await self._sessions.leave(self.id)
                await reporter.leave()
        except (StoreUnavailableError, TimeoutError) as error:
            _LOG.warning("could not sign off, the lease will expire", cause=str(error))
