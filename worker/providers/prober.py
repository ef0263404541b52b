"""Bring servers back that were put out of use: nobody has to release a server's account."""

import asyncio
import contextlib
from functools import partial

import structlog

from wire.errors import StoreUnavailableError
from wire.joint_tasks import run_together
from wire.ledger import PICTURES, Ledger
from worker.accounts.account import ServerAccount
from worker.accounts.pool import AccountPool
from worker.providers import AccountCheck
from worker.providers.registry import ProviderRegistry

_LOG = structlog.get_logger()
# Seconds between two looks at the accounts, and until a turn tries an account in any case: its server may have no
# list of models.
_EVERY = 5.0
_TRIAL = 15.0


class ServerProber:
    """Requests the list of models from servers whose accounts are dead, on behalf of one worker.

    When a server answers again, the next turn tries its account at once; the ledger decides by how that turn ends.
    """

    def __init__(
        self, pool: AccountPool, providers: ProviderRegistry, ledger: Ledger, *, every: float = _EVERY
    ) -> None:
        self._pool = pool
        self._providers = providers
        self._ledger = ledger
        self._every = every
        # The accounts whose servers answered the last time, though a turn was refused.
        self._answering: set[str] = set()

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the heartbeat logs it
                await self.probe()
            await asyncio.sleep(self._every)

    async def probe(self) -> None:
        """Probe each dead server once. Raises StoreUnavailableError."""
        dead = {status.name for status in self._pool.own_statuses if status.state == "dead" and not status.paused}
        self._answering &= dead
        accounts = ((name, self._pool.get(name.removesuffix(PICTURES))) for name in sorted(dead))
        await run_together(
            partial(self._probe, account, name) for name, account in accounts if isinstance(account, ServerAccount)
        )

    async def _probe(self, account: ServerAccount, name: str) -> None:
        """Probe the server of the account that the ledger has under `name`."""
        answers = await self._answers(account)
        returned = answers and name not in self._answering
        if returned:
            self._answering.add(name)
            _LOG.info("server answers again, a turn tries it", account=name)
        elif not answers:
            self._answering.discard(name)
        await self._ledger.schedule_trial(name, 0.0 if returned else _TRIAL)

    async def _answers(self, account: ServerAccount) -> bool:
        provider = self._providers.chat_for(account)
        if not isinstance(provider, AccountCheck):
            return False
        try:
            await provider.check(account)
        except Exception:  # noqa: BLE001 - a third-party provider may raise anything
            return False
        return True
