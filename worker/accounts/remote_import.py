"""Import cookie exports that were sent elsewhere, and wait in Redis for a worker that can write its folder."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from wire.audit_log import AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import Ledger
from worker.accounts.importer import ExportError, add_export

_LOG = structlog.get_logger()
_LOOK_EVERY = 2.0


class RemoteImporter:
    """Writes the exports that wait in Redis into `folder`; if it is read-only, they are left to other workers.

    `reserved` are the names that no export may have, each with what has it.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        journal: AuditLog,
        *,
        reserved: Mapping[str, str] | None = None,
        look_every: float = _LOOK_EVERY,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._journal = journal
        self._reserved = reserved
        self._look_every = look_every

    async def run(self) -> None:
        """Import every `look_every` in seconds, until cancelled."""
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the heartbeat logs it
                await self.import_all()
            await asyncio.sleep(self._look_every)

    async def import_all(self) -> None:
        """Import all exports that wait. StoreUnavailableError."""
        while os.access(self._folder, os.W_OK | os.X_OK):
            waiting = await self._ledger.take_export()
            if waiting is None:
                return
            await self._add(*waiting)

    async def _add(self, name: str, export: bytes) -> None:
        try:
            added = await asyncio.to_thread(add_export, self._folder, export, name, exact=True, reserved=self._reserved)
        except ExportError as error:
            _LOG.warning("could not import an export", account=name, cause=str(error))
            await self._journal.record("refused", name=name, reason=str(error))
        else:
            _LOG.info("export imported", account=added.account, replaced=added.replaced)
            await self._journal.record("added", name=added.account)
