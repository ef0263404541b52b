"""A gateway's status reports for the operator's console: its load, its refusals, and how soon text came."""

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from prometheus_client import Histogram

from gateway.answering.drain import ActiveRequests, background
from gateway.answering.timings import TIMINGS
from gateway.ops.metrics import GatewayMetrics
from wire.errors import StoreUnavailableError
from wire.jobs import Jobs
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter

# Seconds for the report of a gateway's end, which nothing depends on.
_LAST_REPORT = 0.5
_LOG = structlog.get_logger()


@asynccontextmanager
async def report_status(
    store: Store,
    active_requests: ActiveRequests,
    metrics: GatewayMetrics,
    jobs: Jobs,
    first_text: Histogram,
    *,
    report_every: float = TIMINGS.report_every,
) -> AsyncIterator[None]:
    """Report the gateway's status every `report_every` seconds during the body."""

    def counts() -> Mapping[str, int]:
        refusals = {f"refused:{reason}": count for reason, count in jobs.refusals.items()}
        return Counter(refusals) + _first_texts(first_text)

    reporter = Reporter(
        store,
        "gateway",
        f"{socket.gethostname()}-{secrets.token_hex(4)}",
        lambda: ProcessLoad(turns=active_requests.running, sockets=metrics.sockets, apart=True, closes=True),
        counts,
        lambda: active_requests.draining,
        interval=report_every,
    )
    async with background(_report(reporter, report_every)):
        yield
    with contextlib.suppress(StoreUnavailableError, TimeoutError):
        async with asyncio.timeout(_LAST_REPORT):
            await reporter.leave()


async def _report(reporter: Reporter, pause: float) -> None:
    """Report for ever: an error must not end the reports for good."""
    while True:
        try:
            await reporter.run()
        except Exception:  # noqa: BLE001 - logged; nothing else may suffer from it
            _LOG.exception("status report failed")
            await asyncio.sleep(pause)


def _first_texts(first_text: Histogram) -> Counter[str]:
    """Return how many answers fell into each bucket, by its number."""
    counts: Counter[str] = Counter()
    below = 0
    (family,) = first_text.collect()
    buckets = [int(sample.value) for sample in family.samples if sample.name.endswith("_bucket")]
    for number, up_to in enumerate(buckets):
        counts[f"text:{number}"] = up_to - below
        below = up_to
    return counts
