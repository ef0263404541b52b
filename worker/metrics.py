"""A worker's Prometheus metrics, served on METRICS_PORT. Gauges are read when they are scraped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wire.ledger import STATES, AccountStatus
from worker.worker import Worker

disable_created_metrics()  # type: ignore[no-untyped-call]  # an unused gauge beside each histogram
# Seconds for a response that is being sent when the worker ends.
_SHUTDOWN_TIMEOUT = 1.0
_LOG = structlog.get_logger()
_TURNS_HELP = (
    "Turns that have ended, by provider (empty if none was asked), outcome (done, failed or stopped; stopped too if it "
    "waited too long) and, for the failed, reason (other if only a provider of your own knows it)."
)
_TOKENS_HELP = (
    "Tokens of answers, as servers reported them, by account, model and kind: input, of which cached and "
    "cache_written, and output, of which reasoning."
)
_STATE_HELP = "1 for the account's current state, 0 for the others; paused is 1 or 0 beside it."
_FAILURES_HELP = "Failed turns that count against the account, by reason."
_ACCOUNT_GAUGES: list[tuple[str, str, Callable[[AccountStatus], float]]] = [
    (
        "bing_account_turns_today",
        "Questions sent in the last 24 hours; some 10,000 at most without a daily limit.",
        lambda status: status.turns_today,
    ),
    ("bing_account_in_flight", "Running turns, over all workers.", lambda status: status.in_flight),
    (
        "bing_account_cooling_until_seconds",
        "Unix time at which the account's cooling ends; 0 if it isn't cooling.",
        lambda status: status.until / 1000 if status.state == "cooling" else 0,
    ),
    (
        "bing_account_cookie_expires_seconds",
        "Unix time at which the account's cookie expires; 0 if it is unknown.",
        lambda status: status.expires,
    ),
]


class WorkerMetrics:
    """The metrics of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families. Called in the event loop's thread."""
        worker = self._worker
        yield GaugeMetricFamily("bing_slots", "Questions that the worker may have out at once.", worker.slots)
        yield GaugeMetricFamily("bing_slots_used", "Slots in use.", worker.slots_used)
        yield GaugeMetricFamily(
            "bing_leases", "Tokens that the worker holds, with a running turn or idle.", worker.lease_count
        )
        yield GaugeMetricFamily("bing_asyncio_tasks", "Tasks of the asyncio event loop.", len(asyncio.all_tasks()))
        documentation = "Seconds since the last heartbeat that Redis received; above LEASE_TTL its tokens go to others."
        yield GaugeMetricFamily("bing_heartbeat_age_seconds", documentation, worker.heartbeat_age)
        turns = CounterMetricFamily("bing_turns", _TURNS_HELP, labels=("provider", "outcome", "reason"))
        for label, count in worker.turn_counts.items():
            turns.add_metric(label, count)
        yield turns
        tokens = CounterMetricFamily("bing_tokens", _TOKENS_HELP, labels=("account", "model", "kind"))
        for names, count in worker.token_tally.kinds.items():
            tokens.add_metric(names, count)
        yield tokens
        yield from worker.queue_wait.collect()
        yield from _account_metrics(worker.account_statuses)


def _account_metrics(statuses: Collection[AccountStatus]) -> Iterator[Metric]:
    """Yield the metrics of the accounts, which all workers share, as this worker last read them."""
    state = GaugeMetricFamily("bing_account_state", _STATE_HELP, labels=("account", "state"))
    failures = CounterMetricFamily("bing_account_failures", _FAILURES_HELP, labels=("account", "reason"))
    for status in statuses:
        for label in STATES:
            state.add_metric((status.name, label), status.paused if label == "paused" else status.state == label)
        for reason, count in status.failures_by_reason:
            failures.add_metric((status.name, reason), count)
    yield from (state, failures)
    for name, documentation, value in _ACCOUNT_GAUGES:
        family = GaugeMetricFamily(name, documentation, labels=("account",))
        for status in statuses:
            family.add_metric((status.name,), value(status))
        yield family


@asynccontextmanager
async def serve_metrics(worker: Worker, host: str, port: int) -> AsyncIterator[str]:
    """Serve `/metrics` during the body, with its URL. Raises ValueError, for users, if the port isn't available."""
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(worker))
    ProcessCollector(registry=registry)
    application = web.Application()
    application.router.add_get("/metrics", make_aiohttp_handler(registry))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ValueError(f"METRICS_PORT can't be served: {error.strerror}") from None
        address = f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}/metrics"
        _LOG.info("serving metrics", address=address)
        yield address
    finally:
        await runner.cleanup()
