"""What a gateway says of itself, for the operator's console: its load, what it refused, and how soon text came."""

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
from gateway.ops.metrics import GatewayMetrics
from wire.errors import StoreUnavailableError
from wire.jobs import Jobs
from wire.redis.store import Store
from wire.reporter import REPORT_INTERVAL, ProcessLoad, Reporter

# Seconds for the last word, which nothing depends on.
_LAST_WORD = 0.5
_LOG = structlog.get_logger()


@asynccontextmanager
async def present(
    store: Store, turns: ActiveRequests, metrics: GatewayMetrics, jobs: Jobs, first_text: Histogram
) -> AsyncIterator[None]:
    """Speak for the gateway during the body."""

    def counted() -> Mapping[str, int]:
        refused = {f"refused:{reason}": count for reason, count in jobs.refusals.items()}
        return Counter(refused) + _texts(first_text)

    speaker = Reporter(
        store,
        "gateway",
        f"{socket.gethostname()}-{secrets.token_hex(4)}",
        lambda: ProcessLoad(turns=turns.running, sockets=metrics.sockets),
        counted,
        lambda: turns.draining,
    )
    async with background(_speak(speaker)):
        yield
    with contextlib.suppress(StoreUnavailableError, TimeoutError):
        async with asyncio.timeout(_LAST_WORD):
            await speaker.leave()


async def _speak(speaker: Reporter) -> None:
    """For ever: a fault in it must not silence the gateway for good."""
    while True:
        try:
            await speaker.run()
        except Exception:  # noqa: BLE001 - said for people to look at; nothing else may suffer from it
            _LOG.exception("the gateway could not speak of itself")
            await asyncio.sleep(REPORT_INTERVAL)


def _texts(first_text: Histogram) -> Counter[str]:
    """How many answers fell into each bucket, by its number."""
    found: Counter[str] = Counter()
    below = 0
    (family,) = first_text.collect()
    buckets = [int(sample.value) for sample in family.samples if sample.name.endswith("_bucket")]
    for number, upto in enumerate(buckets):
        found[f"text:{number}"] = upto - below
        below = upto
    return found
