"""A gateway's metrics for Prometheus: counters, and gauges that are read on each scrape."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answering.drain import ActiveRequests
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.middleware import is_preflight
from gateway.http.responses import NO_STORE
from wire.answers import Answers, Outcome
from wire.errors import StoreUnavailableError
from wire.pictures import PictureStore
from wire.queue_stats import QueueStats, read_queue_stats
from wire.redis.store import Store
from wire.store_memory import MemoryUse, StoreMemory

# The template of the route that takes what no other does. All paths that lead nowhere count as one.
ANY_PATH = "/{path:path}"
_UNKNOWN = "unknown"
disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside each histogram that nobody needs
# nginx's status for a client that left before its response.
_CLIENT_GONE = 499
# In seconds, up to what the default limits of queue and first text allow together.
FIRST_TEXT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)

_REQUESTS_HELP = (
    "Requests and sockets that have ended, by endpoint (the route's path, or unknown) and status (101 for a socket, "
    "499 for a client that left before its response); without CORS preflights."
)
_REFUSALS_HELP = "Requests refused, by reason; an unknown path, a wrong key and the like by their code, as code.404."
_ANSWERS_HELP = "Answers that were relayed to their end, by outcome: done, failed or stopped."
_REDIS_HELP = (
    "1 if Redis answers this gateway, else 0; the metrics of the queue and of live workers have no value then."
)
_STORE_HELP = (
    "How full Redis is: the share of maxmemory that it uses, or that of STORE_BYTES that is kept, whichever is larger; "
    "from 0.85 on questions are refused, or soon will be."
)
_KEPT_HELP = (
    "Bytes of questions, answers, transcripts and the like that Redis keeps, as they are counted against STORE_BYTES."
)
_QUEUE_GAUGES: list[tuple[str, str, Callable[[QueueStats], float]]] = [
    ("bing_workers_alive", "Workers with a heartbeat and an account.", lambda stats: stats.workers),
    ("bing_queue_length", "Questions that wait for a worker.", lambda stats: stats.waiting),
    ("bing_queue_oldest_seconds", "Age of the oldest question that waits.", lambda stats: stats.oldest),
    ("bing_queue_clients", "Clients that have a question waiting.", lambda stats: stats.clients),
    (
        "bing_queue_client_wait_seconds",
        "Longest time that a client has waited, of the 100 with the next turns.",
        lambda stats: stats.client_wait,
    ),
    ("bing_workers_free", "Questions that workers could take at once.", lambda stats: stats.free),
]


def first_text_histogram() -> Histogram:
    """Return the histogram of how long questions wait for their first text."""
    text = "Seconds from a question's submission to its first text."
    return Histogram("bing_first_text_seconds", text, buckets=FIRST_TEXT_BUCKETS, registry=None)


class GatewayMetrics:
    """The metrics of one application. `requests` is counted by endpoint and status, `sockets` are the open ones."""

    def __init__(
        self,
        active_requests: ActiveRequests,
        answers: Answers,
        first_text: Histogram,
        store: Store,
        memory: StoreMemory,
    ) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.error_metrics = ErrorMetrics()
        self.sockets = 0
        self._active_requests = active_requests
        self._answers = answers
        self._store = store
        self._memory = memory
        # As of the last scrape; None: Redis was unavailable.
        self._queue: QueueStats | None = None
        self._picture_bytes: int | None = None
        self._memory_use: MemoryUse | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(first_text)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics except the histogram, in the event loop's thread."""
        yield from _queue_gauges(self._queue)
        text = "Bytes that pictures in Redis take of PICTURE_LIMIT."
        yield GaugeMetricFamily("bing_picture_bytes", text, self._picture_bytes)
        use = self._memory_use
        yield GaugeMetricFamily("bing_store_used_ratio", _STORE_HELP, None if use is None else use.share)
        yield GaugeMetricFamily("bing_store_kept_bytes", _KEPT_HELP, None if use is None else use.counted)
        yield from self._gauges()
        requests = CounterMetricFamily("bing_requests", _REQUESTS_HELP, labels=("endpoint", "status"))
        for (endpoint, status), count in self.requests.items():
            requests.add_metric((endpoint, str(status)), count)
        yield requests
        refusals = CounterMetricFamily("bing_refusals", _REFUSALS_HELP, labels=("reason",))
        for reason, count in self.error_metrics.counts.items():
            refusals.add_metric((reason,), count)
        yield refusals
        answers = CounterMetricFamily("bing_answers", _ANSWERS_HELP, labels=("outcome",))
        for outcome in get_args(Outcome):
            answers.add_metric((outcome,), self._answers.outcome_counts[outcome])
        yield answers

    def _gauges(self) -> Iterator[Metric]:
        running = self._active_requests.running
        yield GaugeMetricFamily("bing_active_answers", "Answers that clients wait for or receive.", running)
        yield GaugeMetricFamily("bing_turns", "Old name of bing_active_answers, for one release.", running)
        yield GaugeMetricFamily(
            "bing_channels", "Different answers whose events this gateway receives.", self._answers.followed_count
        )
        yield GaugeMetricFamily("bing_sockets", "Open WebSockets.", self.sockets)
        yield GaugeMetricFamily("bing_asyncio_tasks", "Tasks of the asyncio event loop.", len(asyncio.all_tasks()))
        yield GaugeMetricFamily("bing_draining", "1 while the process drains.", self._active_requests.draining)

    async def metrics(self, _: Request) -> Response:
        """Return all metrics in Prometheus's text format."""
        queue: QueueStats | None = None
        picture_bytes: int | None = None
        memory_use: MemoryUse | None = None
        with contextlib.suppress(StoreUnavailableError):
            queue = await read_queue_stats(self._store)
            picture_bytes = await PictureStore(self._store).count_bytes()
            memory_use = await self._memory.read()
        self._queue, self._picture_bytes, self._memory_use = queue, picture_bytes, memory_use
        return Response(generate_latest(self._registry), 200, NO_STORE, CONTENT_TYPE_PLAIN_0_0_4)


def _queue_gauges(queue: QueueStats | None) -> Iterator[Metric]:
    """Yield the gauges that are read from Redis. While it is unavailable they have no value, rather than an old one."""
    yield GaugeMetricFamily("bing_redis_up", _REDIS_HELP, queue is not None)
    for name, text, value in _QUEUE_GAUGES:
        yield GaugeMetricFamily(name, text, None if queue is None else value(queue))


class MetricsMiddleware:
    """Counts requests when they end, and the sockets that are open; sets `state.error_metrics`.

    It is outside of ResponseHeadersMiddleware, which leaves the status in the request's state, and of StreamMiddleware:
    a stream's request ends with the stream.
    """

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] != "lifespan":
            scope["state"]["error_metrics"] = self._metrics.error_metrics
        if scope["type"] == "lifespan" or is_preflight(scope):
            await self._app(scope, receive, send)
            return
        sockets = int(scope["type"] == "websocket")
        self._metrics.sockets += sockets
        try:
            await self._app(scope, receive, send)
        finally:
            self._metrics.sockets -= sockets
            self._metrics.requests[_endpoint(scope), scope["state"].get("status", _CLIENT_GONE)] += 1


def _endpoint(scope: Scope) -> str:
    """Return the path's template, which has no more values than there are routes."""
    path: str = getattr(scope.get("route"), "path", ANY_PATH)
    return _UNKNOWN if path == ANY_PATH else path
