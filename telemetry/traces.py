"""The current trace, by W3C's `traceparent`, and its spans.

The `traceparent` travels with a request through all processes, and every log line contains the trace's id. Spans are
exported only with an OTEL_EXPORTER_OTLP_ENDPOINT and the packages of requirements/tracing.txt (telemetry/otel.py).
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import structlog

from telemetry.spans import AttributeValue, NoopSpan, Span, SpanExporter, SpanRole

# A later version may append fields.
_TRACEPARENT = re.compile(
    r"(?:00|(?!ff)[0-9a-f]{2}(?=.{53}(?:-|$)))-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?"
)
_current: ContextVar[str] = ContextVar("traceparent", default="")
_NOOP_SPAN = NoopSpan()
_exporter: SpanExporter | None = None
_LOG = structlog.get_logger()


def normalize(traceparent: str) -> str:
    """Return a header's value in the form that is passed on; empty if it is invalid."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or (traceparent.startswith("00") and match[2] is not None):
        return ""
    return f"00-{match[1]}"


def current_traceparent() -> str:
    """Return the current `traceparent`; empty outside of any trace."""
    return _current.get()


def current_trace_id() -> str:
    """Return the current trace's id; empty outside of any trace."""
    return _current.get()[3:35]


def set_current(traceparent: str) -> None:
    """Set the trace of this task from now on; none if the value is invalid."""
    _current.set(normalize(traceparent))


@contextmanager
def use_traceparent(traceparent: str) -> Iterator[None]:
    """Set the trace of the body; none if the value is invalid."""
    before = _current.set(normalize(traceparent))
    try:
        yield
    finally:
        _current.reset(before)


def is_exporting() -> bool:
    """Return whether spans are exported."""
    return _exporter is not None


def start_span(name: str, role: SpanRole, **attributes: AttributeValue) -> AbstractContextManager[Span]:
    """Open a span of the current trace, or of a new one, for the body."""
    if _exporter is None:
        return _NOOP_SPAN
    return _open_span(_exporter, name, role, attributes)


@contextmanager
def _open_span(
    exporter: SpanExporter, name: str, role: SpanRole, attributes: dict[str, AttributeValue]
) -> Iterator[Span]:
    with exporter.start_span(name, role, current_traceparent(), attributes) as span, use_traceparent(span.traceparent):
        yield span


def record_span(name: str, seconds: float) -> None:
    """Record a span of the current trace that has just ended after `seconds`."""
    if _exporter is not None:
        _exporter.record_span(name, current_traceparent(), seconds)


@contextmanager
def export_spans(endpoint: str | None, service: str) -> Iterator[None]:
    """Export the body's spans to an OTLP endpoint, if one is given and the packages are installed."""
    global _exporter  # noqa: PLW0603 - one for the process, as its log is
    if endpoint is None:
        yield
        return
    try:
        from telemetry.otel import OtlpExporter
    except ImportError as error:
        _LOG.warning(
            "no traces: OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements/tracing.txt", cause=str(error)
        )
        yield
        return
    _exporter = OtlpExporter(endpoint, service)
    try:
        yield
    finally:
        exporter, _exporter = _exporter, None
        exporter.close()
