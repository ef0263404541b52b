"""Ask servers for their models, where accounts.toml wants all of them."""

import asyncio
import contextlib
from functools import partial

import structlog

from wire.errors import StoreUnavailableError
from wire.joint_tasks import run_together
from wire.ledger import Ledger
from worker.accounts.account import ServerAccount
from worker.accounts.pool import AccountPool
from worker.providers import ModelSource
from worker.providers.registry import ProviderRegistry

_LOG = structlog.get_logger()
# Seconds between two looks at the accounts, and between two requests to one server.
_EVERY = 2.0
_AGAIN = 300.0


class ModelLister:
    """Requests the lists of models, each by one worker at a time; the ledger keeps them for all."""

    def __init__(
        self, pool: AccountPool, providers: ProviderRegistry, ledger: Ledger, *, every: float = _EVERY
    ) -> None:
        self._pool = pool
        self._providers = providers
        self._ledger = ledger
        self._every = every

    async def run(self) -> None:
        """List until cancelled."""
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the heartbeat logs it
                await self.list_all()
            await asyncio.sleep(self._every)

    async def list_all(self) -> None:
        """Ask each server whose list is due. Raises StoreUnavailableError."""
        servers = [account for account in self._pool.accounts if isinstance(account, ServerAccount)]
        await run_together(partial(self._list_due, account) for account in servers if account.lists_models)

    async def _list_due(self, account: ServerAccount) -> None:
        if await self._ledger.claim_listing(account.name, self._pool.worker):
            await self._list(account)

    async def _list(self, account: ServerAccount) -> None:
        provider = self._providers.chat_for(account)
        if not isinstance(provider, ModelSource):
            return
        try:
            models = await provider.list_models(account)
        except Exception as error:  # noqa: BLE001 - a third-party provider may raise anything
            # The claim ends in a moment, and some worker tries again.
            _LOG.warning("could not list a server's models", account=account.name, cause=str(error))
            return
        with contextlib.suppress(StoreUnavailableError):
            await self._ledger.keep_listed(account.name, models, _AGAIN)
