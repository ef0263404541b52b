"""What Prometheus is told of a gateway: counts, and the state of now, read when it asks."""

import asyncio
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
from gateway.http.middleware import preflight
from gateway.http.responses import NO_STORE
from wire.answers import Answers, Outcome
from wire.errors import StoreUnavailableError
from wire.queue_stats import QueueStats, read_queue_stats
from wire.redis.store import Store

# The template of the route that takes what no other does. Paths that lead nowhere are counted as one.
ANY_PATH = "/{path:path}"
_UNKNOWN = "unknown"
disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside each histogram that nobody asks for
# What nginx calls a client that left before it was told anything.
_CLIENT_GONE = 499
# In seconds, up to what the default limits of waiting and of the first text allow together.
FIRST_TEXT = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)

_OF_BACKLOG: list[tuple[str, str, Callable[[QueueStats], float]]] = [
    ("bing_workers_alive", "Workers whose heartbeat is there.", lambda found: found.workers),
    ("bing_queue_length", "Questions that wait for a worker.", lambda found: found.waiting),
    ("bing_queue_oldest_seconds", "For how long the oldest of them has.", lambda found: found.oldest),
]


def first_text() -> Histogram:
    """How long questions wait for their first text."""
    told = "Seconds from handing a question over to its first text."
    return Histogram("bing_first_text_seconds", told, buckets=FIRST_TEXT, registry=None)


class GatewayMetrics:
    """The metrics of one application. `requests` is counted by endpoint and status, `sockets` are the open ones."""

    def __init__(self, turns: ActiveRequests, answers: Answers, first_text: Histogram, store: Store) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.refusals = ErrorMetrics()
        self.sockets = 0
        self._turns = turns
        self._answers = answers
        self._store = store
        # What the last look found; None: Redis was away.
        self._backlog: QueueStats | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(first_text)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """All but the histogram. In the event loop's thread."""
        yield from _of_backlog(self._backlog)
        yield GaugeMetricFamily("bing_turns", "Turns that are relayed now.", self._turns.running)
        yield GaugeMetricFamily("bing_channels", "Answers that are followed now.", self._answers.followed_count)
        yield GaugeMetricFamily("bing_sockets", "WebSockets that are open.", self.sockets)
        yield GaugeMetricFamily("bing_asyncio_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        yield GaugeMetricFamily("bing_draining", "1 while the process goes down.", self._turns.draining)
        requests = CounterMetricFamily("bing_requests", "Requests that are over.", labels=("endpoint", "status"))
        for (endpoint, status), count in self.requests.items():
            requests.add_metric((endpoint, str(status)), count)
        yield requests
        refusals = CounterMetricFamily("bing_refusals", "What clients were told instead.", labels=("reason",))
        for reason, count in self.refusals.counts.items():
            refusals.add_metric((reason,), count)
        yield refusals
        answers = CounterMetricFamily("bing_answers", "Terminal events that were relayed.", labels=("outcome",))
        for outcome in get_args(Outcome):
            answers.add_metric((outcome,), self._answers.outcome_counts[outcome])
        yield answers

    async def metrics(self, _: Request) -> Response:
        """The endpoint, in Prometheus's text format."""
        try:
            backlog = await read_queue_stats(self._store)
        except StoreUnavailableError:
            backlog = None
        self._backlog = backlog
        return Response(generate_latest(self._registry), 200, NO_STORE, CONTENT_TYPE_PLAIN_0_0_4)


def _of_backlog(backlog: QueueStats | None) -> Iterator[Metric]:
    """What this gateway sees of Redis. While that is away the rest has no value, rather than an old one."""
    yield GaugeMetricFamily("bing_redis_up", "1 if Redis answers.", backlog is not None)
    for name, meaning, value in _OF_BACKLOG:
        yield GaugeMetricFamily(name, meaning, None if backlog is None else value(backlog))


class MetricsMiddleware:
    """Counts requests when they are over, and the sockets that are open; hands on who counts refusals.

    It stands around Told, which leaves the status in the request's state, and around Lasting: a stream is over when
    it ends.
    """

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "lifespan" or preflight(scope):
            await self._app(scope, receive, send)
            return
        scope["state"]["refusals"] = self._metrics.refusals
        sockets = int(scope["type"] == "websocket")
        self._metrics.sockets += sockets
        try:
            await self._app(scope, receive, send)
        finally:
            self._metrics.sockets -= sockets
            self._metrics.requests[_endpoint(scope), scope["state"].get("status", _CLIENT_GONE)] += 1


def _endpoint(scope: Scope) -> str:
    """The path's template, which has no more values than there are routes."""
    path: str = getattr(scope.get("route"), "path", ANY_PATH)
    return _UNKNOWN if path == ANY_PATH else path
