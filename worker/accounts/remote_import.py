"""Cookie exports that are handed in elsewhere, and wait in Redis for a worker that may write its folder."""

import asyncio
import contextlib
import os
from pathlib import Path

import structlog

from wire.audit_log import AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import Ledger
from worker.accounts.importer import ExportError, add_export

_LOG = structlog.get_logger()


class RemoteImporter:
    """Takes what is handed in, and puts it into `folder`; if that can't be written, it is for other workers."""

    def __init__(self, folder: Path, ledger: Ledger, journal: AuditLog, *, look_every: float) -> None:
        self._folder = folder
        self._ledger = ledger
        self._journal = journal
        self._look_every = look_every

    async def run(self) -> None:
        """Look for exports for ever, every `look_every` in seconds."""
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the heartbeat tells of it
                await self.import_all()
            await asyncio.sleep(self._look_every)

    async def import_all(self) -> None:
        """Take all that is there. StoreUnavailableError."""
        while os.access(self._folder, os.W_OK | os.X_OK):
            found = await self._ledger.take_export()
            if found is None:
                return
            await self._put(*found)

    async def _put(self, name: str, export: bytes) -> None:
        try:
            added = await asyncio.to_thread(add_export, self._folder, export, name, exact=True)
        except ExportError as error:
            _LOG.warning("an export that was handed in is not taken", account=name, cause=str(error))
            await self._journal.record("refused", name=name, reason=str(error))
        else:
            _LOG.info("an export was handed in", account=added.account, replaced=added.replaced)
            await self._journal.record("added", name=added.account)
