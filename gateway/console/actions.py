"""The console's actions. Each is logged with the admin's name, and without anything secret."""

import asyncio
from dataclasses import dataclass
from typing import cast, get_args

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.timings import TIMINGS, Timings
from gateway.console.admins import Admins
from gateway.console.poller import Poller
from gateway.errors import RefusedError
from gateway.http import responses
from gateway.http.body import BodyReader
from telemetry.answer_digest import LENGTH, digest_answer
from wire.audit_log import AuditLog
from wire.errors import AnswerNotFoundError
from wire.jobs import Jobs
from wire.ledger import PICTURES, Ledger, Order
from wire.overview import Overview
from wire.reasons import Reason

_ORDERS = get_args(Order)
_MAX_NAME = 64
# A JSON string may be longer than the text that it encodes.
_MAX_BODY = 3 * 1024 * 1024
_MAX_EXPORT = 1024 * 1024
_LOG = structlog.get_logger()


class _AccountExport(msgspec.Struct):
    name: str
    export: str


@dataclass(frozen=True)
class Actions:
    """The endpoints. All need an admin's key in a header, which a page of another site can't make a browser send."""

    admins: Admins
    ledger: Ledger
    jobs: Jobs
    overview: Overview
    audit_log: AuditLog
    poller: Poller
    timings: Timings = TIMINGS

    async def execute_order(self, request: Request) -> Response:
        """Execute an order on an account, for chat and for images: `pause`, `resume`, `release` or `reset`.

        HTTPException 401, 404.
        """
        admin = self.admins.authenticate(request)
        name, order = request.path_params["name"], request.path_params["order"]
        if order not in _ORDERS:
            raise HTTPException(404)
        before = [
            await self.ledger.execute_order(entry, cast(Order, order), by=admin) for entry in (name, name + PICTURES)
        ]
        if before == [None, None]:
            raise HTTPException(404)
        _LOG.info("account order executed", admin=admin, account=name, order=order, before=before[0])
        return self._success()

    async def import_account(self, request: Request) -> Response:
        """Store an export, from which a worker adds or replaces the account, and reports the result as an event.

        The body is JSON: `{"name": …, "export": …}`.

        HTTPException 401, 413, 429.
        """
        admin = self.admins.authenticate(request)
        body = await BodyReader(_MAX_BODY, self.timings.body_limit).read(request)
        # The body may have taken a minute, in which the key was removed.
        self.admins.authenticate(request)
        account = _parse_export(body, request.headers.get("content-type", ""))
        export = account.export.encode("utf-8", "replace")
        if not 0 < len(export) <= _MAX_EXPORT:
            raise RefusedError(Reason.EXPORT_SIZE)
        if not await self.ledger.submit_export(account.name, export, by=admin):
            raise HTTPException(429, headers={"retry-after": "60"})
        _LOG.info("account export submitted", admin=admin, account=account.name)
        return self._success()

    async def stop_answer(self, request: Request) -> Response:
        """Stop an answer of any client, by the digest of its id that the console shows, or by its id.

        HTTPException 401; AnswerNotFoundError.
        """
        admin, answer = self.admins.authenticate(request), await self._find(request.path_params["answer"])
        state = await self.jobs.stop(answer, holder=None)
        if state == "STOPPED":
            await self.audit_log.record("stop", name=digest_answer(answer), by=admin)
        _LOG.info("answer stopped by an operator", admin=admin, answer=answer, state=state)
        return self._success()

    async def _find(self, named: str) -> str:
        """Return the id of an answer that waits or runs. AnswerNotFoundError.

        One that a worker has just taken does neither until the worker reports it: hence the second look.
        """
        if len(named) != LENGTH:
            return named
        for pause in (1.5 * self.timings.report_every, None):
            for answer in await self.overview.list_answers():
                if digest_answer(answer) == named:
                    return answer
            if pause is not None:
                await asyncio.sleep(pause)
        raise AnswerNotFoundError

    def _success(self) -> Response:
        self.poller.poll_soon()
        return responses.ok(b'{"code": 200, "message": "success"}')


def _parse_export(body: bytes, content_type: str) -> _AccountExport:
    """RefusedError."""
    try:
        account = msgspec.json.decode(body, type=_AccountExport)
    except msgspec.DecodeError:
        raise RefusedError(Reason.EXPORT_FORMAT) from None
    if not content_type.startswith("application/json"):
        raise RefusedError(Reason.EXPORT_FORMAT)
    name = account.name
    usable = name.isprintable() and "/" not in name and not name.startswith(".") and name == name.strip()
    if not (usable and 0 < len(name) <= _MAX_NAME):
        raise RefusedError(Reason.EXPORT_NAME)
    return account
