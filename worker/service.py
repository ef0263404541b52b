"""A worker built from its settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from wire.ledger import Ledger
from wire.redis.store import Store
from worker.accounts.account import Account
from worker.accounts.pool import REFRESH_INTERVAL, AccountPool
from worker.accounts.watcher import DirectoryWatcher
from worker.metrics import serve_metrics
from worker.providers.registry import ProviderRegistry, Upstream
from worker.settings import WorkerSettings
from worker.status import status_reporter
from worker.worker import Worker, new_worker_id


async def await_accounts(watcher: DirectoryWatcher) -> list[Account]:
    """Wait for an account in COOKIES_DIR and return all: a worker without any must not look ready."""
    async with aclosing(watcher.changes()) as changes:
        while True:
            contents = await anext(changes)
            none = () if contents.accounts else (f"no usable account in {watcher.path}, waiting for one",)
            watcher.log_problems(contents, *none)
            if contents.accounts:
                return list(contents.accounts)


@asynccontextmanager
async def open_worker(
    settings: WorkerSettings,
    store: Store,
    accounts: list[Account],
    watcher: DirectoryWatcher | None = None,
    *,
    refresh_every: float = REFRESH_INTERVAL,
) -> AsyncIterator[Worker]:
    """Open a worker that is ready to `run`, with its providers and its metrics.

    With `watcher` it follows changes in COOKIES_DIR. `refresh_every` is the interval at which the accounts'
    states are read, in seconds.

    Raises ValueError, with a sentence for users, if PROVIDER or METRICS_PORT can't be used.
    """
    async with AsyncExitStack() as stack:
        providers = ProviderRegistry(settings)
        stack.push_async_callback(providers.close)
        for account in accounts:
            providers.chat_for(account)
        pool = AccountPool(
            settings,
            Ledger(store),
            new_worker_id(),
            accounts,
            providers.provider_order,
            watcher,
            refresh_every=refresh_every,
        )
        worker = Worker(settings, store, Upstream(settings, pool, providers), status_reporter)
        if settings.metrics_port is not None:
            await stack.enter_async_context(serve_metrics(worker, settings.metrics_host, settings.metrics_port))
        yield worker
