"""Send spans by OpenTelemetry's SDK, an extra: only telemetry/traces.py imports this module, lazily."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry.traces import AttributeValue, SpanRole, use_traceparent

# Seconds that a collector may take for a batch: a process that ends waits for the last one.
_PATIENCE = 2
# The one name in which an underscore is meant.
_NAMES = {"http_response_status_code": "http.response.status_code"}
_KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER, "client": SpanKind.CLIENT}


class OtlpSpan:
    """A span that is going on."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set_attributes(self, **attributes: AttributeValue) -> None:
        """Say more of it."""
        self._span.set_attributes(_named(attributes))

    def fail(self, reason: str) -> None:
        """It came to nothing."""
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))


class OtlpExporter:
    """Sends batches of spans to an OTLP endpoint over HTTP, in a thread. The SDK's own OTEL_ variables hold besides."""

    def __init__(self, endpoint: str, service: str) -> None:
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_PATIENCE)
        resource = Resource.create({"service.namespace": "bing-chat-gateway", "service.name": service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("bing-chat-gateway")

    @contextmanager
    def start_span(
        self, name: str, kind: SpanRole, parent: str, attributes: dict[str, AttributeValue]
    ) -> Iterator[OtlpSpan]:
        """A span during the body; an error that leaves the body makes it a failed one, by the error's type alone."""
        span = self._tracer.start_span(name, _parent(parent), _KINDS[kind], _named(attributes))
        told = OtlpSpan(span)
        try:
            with use_traceparent(_traceparent(span.get_span_context())):
                yield told
        except Exception as error:
            told.fail(getattr(error, "reason", type(error).__name__))
            raise
        finally:
            span.end()

    def record_span(self, name: str, parent: str, seconds: float) -> None:
        """A span that has just ended."""
        now = time.time_ns()
        self._tracer.start_span(name, _parent(parent), start_time=now - int(seconds * 1e9)).end(now)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _named(attributes: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Python's names as OpenTelemetry's: `http_route` is `http.route`."""
    return {_NAMES.get(name, name.replace("_", ".")): value for name, value in attributes.items()}


def _parent(traceparent: str) -> context.Context:
    """The context of a `traceparent`; of nothing at all, if it is empty."""
    if not traceparent:
        return context.Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return trace.set_span_in_context(NonRecordingSpan(parent), context.Context())


def _traceparent(span: SpanContext) -> str:
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
