"""A worker made from its settings, and the accounts that it waits for."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import structlog

from wire.connect import Store
from worker.accounts import Account
from worker.folder import Folder
from worker.pool import Pool
from worker.providers import chat_provider
from worker.providers.bingimage import BingImageProvider
from worker.settings import WorkerSettings
from worker.turn import Upstream
from worker.worker import Worker

_LOG = structlog.get_logger()


async def await_accounts(settings: WorkerSettings) -> list[Account]:
    """The accounts in COOKIES_DIR; waits until there is one, since a worker without any must not look ready."""
    told: set[str] = set()
    async with aclosing(Folder(settings.cookies_dir).changes()) as changes:
        while True:
            contents = await anext(changes)
            sentences = [*contents.problems, *contents.warnings]
            if not contents.accounts:
                sentences.append(f"no usable account in {settings.cookies_dir}, waiting for one")
            for sentence in sentences:
                if sentence not in told:
                    _LOG.warning(sentence)
            if contents.accounts:
                return list(contents.accounts)
            told = set(sentences)


@asynccontextmanager
async def open_worker(settings: WorkerSettings, store: Store, accounts: list[Account]) -> AsyncIterator[Worker]:
    """A worker, ready to `run`, and its providers. ValueError, with one sentence, when PROVIDER names nothing."""
    chat, images = chat_provider(settings.provider)(settings), BingImageProvider(settings)
    try:
        yield Worker(settings, store, Upstream(settings, Pool(accounts), chat, images))
    finally:
        await chat.close()
        await images.close()
