"""The operator's console at `/console`: a page, its live data, and its actions. Off without ADMIN_KEYS_FILE."""

from starlette.routing import Route

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import TIMINGS, Timings
from gateway.console import files
from gateway.console.actions import Actions
from gateway.console.admins import Admins
from gateway.console.poller import Poller
from gateway.console.stream import ConsoleStream
from wire.audit_log import AuditLog
from wire.jobs import Jobs
from wire.ledger import Ledger
from wire.overview import Overview
from wire.redis.store import Store


def routes(
    admins: Admins | None,
    store: Store,
    active_requests: ActiveRequests,
    jobs: Jobs,
    *,
    timings: Timings = TIMINGS,
) -> list[Route]:
    """Return the console's routes; none without `admins`, when it is off."""
    if admins is None:
        return []
    ledger, audit_log = Ledger(store), AuditLog(store)
    overview = Overview(store)
    poller = Poller(overview, ledger, audit_log, jobs.memory, poll_every=timings.console_poll_every)
    actions = Actions(admins, ledger, jobs, overview, audit_log, poller, timings)
    stream = ConsoleStream(admins, poller, active_requests, timings.console_send_limit)
    return [
        *files.routes(),
        Route("/console/live", stream.live),
        Route("/console/accounts", actions.import_account, methods=["POST"]),
        Route("/console/accounts/{name}/{order}", actions.execute_order, methods=["POST"]),
        Route("/console/answers/{answer}/stop", actions.stop_answer, methods=["POST"]),
    ]
