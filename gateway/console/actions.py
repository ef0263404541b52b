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
from gateway.errors import AnswerUnknownError, Problem, RefusedError
from gateway.http import responses
from gateway.http.body import read_body
from wire.audit_log import AuditLog
from wire.errors import AnswerGoneError
from wire.jobs import Jobs
from wire.ledger import PICTURES, Ledger, Order

_ORDERS = get_args(Order)
_LONGEST_NAME = 64
# A JSON string may be larger than what it stands for.
_LONGEST_BODY = 3 * 1024 * 1024
_LONGEST_EXPORT = 1024 * 1024
_NO_JSON = Problem(400, "需要 JSON / JSON is needed: {name, export}")
_NO_NAME = Problem(400, "账号名无效 / not an account's name: 1 to 64 characters, without / or a dot in front")
_NO_EXPORT = Problem(400, "导出内容为空或过大 / the export is empty, or larger than 1 MiB")
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
            raise RefusedError(_NO_EXPORT)
        if not await self.ledger.submit_export(wanted.name, export, by=admin):
            raise HTTPException(429, headers={"retry-after": "60"})
        _LOG.info("operator hands in an export", admin=admin, account=wanted.name)
        return self._done()

    async def stop(self, request: Request) -> Response:
        """Stop an answer, whoever asked for it. HTTPException 401; AnswerUnknownError."""
        admin, answer = self.admins.of(request), request.path_params["answer"]
        try:
            state = await self.jobs.stop(answer, holder=None)
        except AnswerGoneError:
            raise AnswerUnknownError from None
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
        raise RefusedError(_NO_JSON) from None
    if not content_type.startswith("application/json"):
        raise RefusedError(_NO_JSON)
    name = found.name
    usable = name.isprintable() and "/" not in name and not name.startswith(".") and name == name.strip()
    if not (usable and 0 < len(name) <= _LONGEST_NAME):
        raise RefusedError(_NO_NAME)
    return found
