"""Export of spans by OpenTelemetry's SDK, an extra: only telemetry/traces.py imports this module, lazily."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from requests.adapters import HTTPAdapter

from telemetry.spans import AttributeValue, SpanRole

# Seconds that a collector may take for a batch: a process that ends waits for the last one.
_EXPORT_TIMEOUT = 2
# The one name that keeps an underscore.
_NAMES = {"http_response_status_code": "http.response.status_code"}
_KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER, "client": SpanKind.CLIENT}


class OtlpSpan:
    """A span that is open."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """The span's own `traceparent`."""
        own = self._span.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def set_attributes(self, **attributes: AttributeValue) -> None:
        """Add attributes."""
        self._span.set_attributes(_named(attributes))

    def fail(self, reason: str) -> None:
        """Mark the span as failed."""
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))


class _HeadReader(HTTPAdapter):
    """An adapter that reads no body of a response: its status says all, and a collector's body may have no end."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """See HTTPAdapter."""
        response = super().send(*args, **kwargs)
        response.close()
        response.raw = io.BytesIO()
        return response


class OtlpExporter:
    """Exporter of batches to an OTLP endpoint over HTTP, in a thread.

    The SDK's own OTEL_ variables apply as well, but for those of credential providers.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _HeadReader())
        address = f"{endpoint.rstrip('/')}/v1/traces"
        exporter = OTLPSpanExporter(address, timeout=_EXPORT_TIMEOUT, session=session)
        resource = Resource.create({"service.namespace": "bing-chat-gateway", "service.name": service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("bing-chat-gateway")

    @contextmanager
    def start_span(
        self, name: str, role: SpanRole, parent: str, attributes: dict[str, AttributeValue]
    ) -> Iterator[OtlpSpan]:
        """Open a span for the body. An error that leaves the body marks it as failed, by the error's type alone."""
        span = self._tracer.start_span(name, _parent(parent), _KINDS[role], _named(attributes))
        open_span = OtlpSpan(span)
        try:
            yield open_span
        except Exception as error:
            open_span.fail(getattr(error, "reason", type(error).__name__))
            raise
        finally:
            span.end()

    def record_span(self, name: str, parent: str, seconds: float) -> None:
        """Record a span that has just ended after `seconds`."""
        now = time.time_ns()
        self._tracer.start_span(name, _parent(parent), start_time=now - int(seconds * 1e9)).end(now)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _named(attributes: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Return the attributes by OpenTelemetry's names: `http_route` becomes `http.route`."""
    return {_NAMES.get(name, name.replace("_", ".")): value for name, value in attributes.items()}


def _parent(traceparent: str) -> context.Context:
    """Return the context of a `traceparent`; an empty one if that is empty."""
    if not traceparent:
        return context.Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return trace.set_span_in_context(NonRecordingSpan(parent), context.Context())
