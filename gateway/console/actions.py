"""What an operator can do. Each action is logged with the admin's name, and with nothing that is secret."""

from dataclasses import dataclass
from typing import cast, get_args

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.console.admins import Admins
from gateway.console.poller import Poller
from gateway.errors import RefusedError
from gateway.http import responses
from gateway.http.body import read_body
from wire.audit_log import AuditLog
from wire.jobs import Jobs
from wire.ledger import PICTURES, Ledger, Order
from wire.reasons import Reason

_ORDERS = get_args(Order)
_LONGEST_NAME = 64
# A JSON string may be larger than what it stands for.
_LONGEST_BODY = 3 * 1024 * 1024
_LONGEST_EXPORT = 1024 * 1024
_LOG = structlog.get_logger()


class _Export(msgspec.Struct):
    name: str
    export: str


@dataclass(frozen=True)
class Actions:
    """The endpoints. All need an admin's key in a header, which no other site's page can make a browser send."""

    admins: Admins
    ledger: Ledger
    jobs: Jobs
    journal: AuditLog
    watch: Poller

    async def order(self, request: Request) -> Response:
        """Pause, resume, release or reset an account, and its pictures. HTTPException 401, 404."""
        admin = self.admins.of(request)
        name, order = request.path_params["name"], request.path_params["order"]
        if order not in _ORDERS:
            raise HTTPException(404)
        found = [
            await self.ledger.execute_order(entry, cast(Order, order), by=admin) for entry in (name, name + PICTURES)
        ]
        if found == [None, None]:
            raise HTTPException(404)
        _LOG.info("operator's order", admin=admin, account=name, order=order, before=found[0])
        return self._done()

    async def add(self, request: Request) -> Response:
        """Hand in an export, for a worker to add or replace the account of that name. HTTPException 401, 413, 429."""
        admin = self.admins.of(request)
        wanted = _export(await read_body(request, _LONGEST_BODY), request.headers.get("content-type", ""))
        export = wanted.export.encode("utf-8", "replace")
        if not 0 < len(export) <= _LONGEST_EXPORT:
            raise RefusedError(Reason.EXPORT_SIZE)
        if not await self.ledger.submit_export(wanted.name, export, by=admin):
            raise HTTPException(429, headers={"retry-after": "60"})
        _LOG.info("operator hands in an export", admin=admin, account=wanted.name)
        return self._done()

    async def stop(self, request: Request) -> Response:
        """Stop an answer, whoever asked for it. HTTPException 401; AnswerNotFoundError."""
        admin, answer = self.admins.of(request), request.path_params["answer"]
        state = await self.jobs.stop(answer, holder=None)
        if state == "STOPPED":
            await self.journal.record("stop", name=answer, by=admin)
        _LOG.info("operator stops an answer", admin=admin, answer=answer, state=state)
        return self._done()

    def _done(self) -> Response:
        self.watch.look_soon()
        return responses.ok(b'{"code": 200, "message": "success"}')


def _export(body: bytes, content_type: str) -> _Export:
    """RefusedError."""
    try:
        found = msgspec.json.decode(body, type=_Export)
    except msgspec.DecodeError:
        raise RefusedError(Reason.EXPORT_FORMAT) from None
    if not content_type.startswith("application/json"):
        raise RefusedError(Reason.EXPORT_FORMAT)
    name = found.name
    usable = name.isprintable() and "/" not in name and not name.startswith(".") and name == name.strip()
    if not (usable and 0 < len(name) <= _LONGEST_NAME):
        raise RefusedError(Reason.EXPORT_NAME)
    return found
