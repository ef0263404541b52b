"""A worker made from its settings, and the accounts that it waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from wire.connect import Store
from worker.accounts import Account
from worker.cookies import load_accounts
from worker.metrics import serving
from worker.pool import Pool
from worker.providers import chat_provider
from worker.providers.bingimage import BingImageProvider
from worker.settings import WorkerSettings
from worker.turn import Upstream
from worker.worker import Worker

_LOG = structlog.get_logger()
# How often a folder without a usable account is looked at again, in seconds.
_LOOK_AGAIN = 2.0


async def await_accounts(settings: WorkerSettings) -> list[Account]:
    """The accounts in COOKIES_DIR; waits until there is one, since a worker without any must not look ready."""
    told: list[str] = []
    while True:
        accounts, problems = load_accounts(settings.cookies_dir)
        if not accounts:
            problems = [*problems, f"no usable account in {settings.cookies_dir}, waiting for one"]
        if problems != told:
            for problem in problems:
                _LOG.warning(problem)
            told = problems
        if accounts:
            return accounts
        await asyncio.sleep(_LOOK_AGAIN)


@asynccontextmanager
async def open_worker(settings: WorkerSettings, store: Store, accounts: list[Account]) -> AsyncIterator[Worker]:
    """A worker, ready to `run`, its providers and its metrics.

    ValueError, with one sentence, when PROVIDER names nothing, or METRICS_PORT can't be had.
    """
    async with AsyncExitStack() as stack:
        chat, images = chat_provider(settings.provider)(settings), BingImageProvider(settings)
        stack.push_async_callback(images.close)
        stack.push_async_callback(chat.close)
        worker = Worker(settings, store, Upstream(settings, Pool(accounts), chat, images))
        if settings.metrics_port is not None:
            await stack.enter_async_context(serving(worker, settings.metrics_host, settings.metrics_port))
        yield worker
