"""A worker made from its settings, and the accounts that it waits for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from wire.ledger import Ledger
from wire.redis.store import Store
from wire.schedule import BLOCK
from worker.accounts.account import Account
from worker.accounts.pool import AccountPool
from worker.accounts.watcher import DirectoryWatcher
from worker.metrics import serve_metrics
from worker.providers.registry import ProviderRegistry, Upstream
from worker.settings import WorkerSettings
from worker.worker import Worker, new_worker_id


async def await_accounts(folder: DirectoryWatcher) -> list[Account]:
    """The accounts in COOKIES_DIR; waits until there is one, since a worker without any must not look ready."""
    async with aclosing(folder.changes()) as changes:
        while True:
            contents = await anext(changes)
            none = () if contents.accounts else (f"no usable account in {folder.path}, waiting for one",)
            folder.log_problems(contents, *none)
            if contents.accounts:
                return list(contents.accounts)


@asynccontextmanager
async def open_worker(
    settings: WorkerSettings,
    store: Store,
    accounts: list[Account],
    folder: DirectoryWatcher | None = None,
    *,
    block: float = BLOCK,
) -> AsyncIterator[Worker]:
    """A worker, ready to `run`, its providers and its metrics. With `folder` it follows what changes there.

    ValueError, with one sentence, when PROVIDER names nothing, or METRICS_PORT can't be had.
    """
    async with AsyncExitStack() as stack:
        providers = ProviderRegistry(settings)
        stack.push_async_callback(providers.close)
        for account in accounts:
            providers.chat_for(account)
        pool = AccountPool(settings, Ledger(store), new_worker_id(), accounts, providers.ranking, folder)
        worker = Worker(settings, store, Upstream(settings, pool, providers), block=block)
        if settings.metrics_port is not None:
            await stack.enter_async_context(serve_metrics(worker, settings.metrics_host, settings.metrics_port))
        yield worker
