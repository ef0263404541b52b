"""What Prometheus is told of a worker, on METRICS_PORT: counts, and the state of now, read when it asks."""

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

disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside each histogram that nobody asks for
# Seconds for an answer that is on its way when the worker ends.
_LAST_BYTES = 1.0
_LOG = structlog.get_logger()
_BY_ACCOUNT: list[tuple[str, str, Callable[[AccountStatus], float]]] = [
    ("bing_account_turns_today", "Questions of the last 24 hours.", lambda one: one.turns_today),
    ("bing_account_in_flight", "Turns in flight.", lambda one: one.in_flight),
    (
        "bing_account_cooling_until_seconds",
        "Until when it cools, in Unix time.",
        lambda one: one.until / 1000 if one.state == "cooling" else 0,
    ),
    ("bing_account_cookie_expires_seconds", "When its cookie expires, in Unix time.", lambda one: one.expires),
]


class WorkerMetrics:
    """The metrics of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """In the event loop's thread."""
        worker = self._worker
        yield GaugeMetricFamily("bing_slots", "Questions that may be out at once.", worker.slots)
        yield GaugeMetricFamily("bing_slots_used", "Slots that are taken.", worker.slots_used)
        yield GaugeMetricFamily("bing_leases", "Tokens that are held.", worker.lease_count)
        yield GaugeMetricFamily("bing_asyncio_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        told = "Seconds since the last heartbeat that Redis took."
        yield GaugeMetricFamily("bing_heartbeat_age_seconds", told, worker.heartbeat_age)
        turns = CounterMetricFamily("bing_turns", "Turns that have ended.", labels=("provider", "outcome", "reason"))
        for label, count in worker.turn_counts.items():
            turns.add_metric(label, count)
        yield turns
        yield from worker.queue_wait.collect()
        yield from _of_accounts(worker.account_statuses)


def _of_accounts(standings: Collection[AccountStatus]) -> Iterator[Metric]:
    """What all workers know of each account, as this one last saw it."""
    state = GaugeMetricFamily("bing_account_state", "Whether it is so.", labels=("account", "state"))
    failures = CounterMetricFamily("bing_account_failures", "Failures.", labels=("account", "reason"))
    for one in standings:
        for label in STATES:
            state.add_metric((one.name, label), one.paused if label == "paused" else one.state == label)
        for reason, count in one.failures_by_reason:
            failures.add_metric((one.name, reason), count)
    yield from (state, failures)
    for name, told, value in _BY_ACCOUNT:
        family = GaugeMetricFamily(name, told, labels=("account",))
        for one in standings:
            family.add_metric((one.name,), value(one))
        yield family


@asynccontextmanager
async def serve_metrics(worker: Worker, host: str, port: int) -> AsyncIterator[str]:
    """Serve `/metrics` while the body runs; the address. ValueError, with one sentence, if the port can't be had."""
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(worker))
    ProcessCollector(registry=registry)
    application = web.Application()
    application.router.add_get("/metrics", make_aiohttp_handler(registry))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_LAST_BYTES)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ValueError(f"METRICS_PORT can't be served: {error.strerror}") from None
        address = f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}/metrics"
        _LOG.info("metrics are served", address=address)
        yield address
    finally:
        await runner.cleanup()
