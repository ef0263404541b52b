"""What Prometheus is told of a worker, on METRICS_PORT: counts, and the state of now, read when it asks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from worker.worker import Worker

# Seconds for an answer that is on its way when the worker ends.
_LAST_BYTES = 1.0
_LOG = structlog.get_logger()


class Metrics:
    """The metrics of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """In the event loop's thread."""
        worker = self._worker
        yield GaugeMetricFamily("bing_slots", "Questions that may be out at once.", worker.slots)
        yield GaugeMetricFamily("bing_slots_used", "Slots that are taken.", worker.slots_used)
        yield GaugeMetricFamily("bing_leases", "Tokens that are held.", worker.leases)
        yield GaugeMetricFamily("bing_asyncio_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        told = "Seconds since the last heartbeat that Redis took."
        yield GaugeMetricFamily("bing_heartbeat_age_seconds", told, worker.heartbeat_age)
        turns = CounterMetricFamily("bing_turns", "Turns that have ended.", labels=("outcome", "reason"))
        for label, count in worker.ended.items():
            turns.add_metric(label, count)
        yield turns


@asynccontextmanager
async def serving(worker: Worker, host: str, port: int) -> AsyncIterator[str]:
    """Serve `/metrics` while the body runs; the address. ValueError, with one sentence, if the port can't be had."""
    registry = CollectorRegistry()
    registry.register(Metrics(worker))
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
