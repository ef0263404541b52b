"""Which trace the work of now belongs to, by W3C's `traceparent`, and its spans, if somebody collects them.

The trace goes with a request through all processes, and its id stands in their logs. Spans are made only with an
OTEL_EXPORTER_OTLP_ENDPOINT and the packages of requirements/tracing.txt (telemetry/otel.py).
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Protocol

import structlog

# A later version may add to the end of it.
_TRACEPARENT = re.compile(
    r"(?:00|(?!ff)[0-9a-f]{2}(?=.{53}(?:-|$)))-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?"
)
_current: ContextVar[str] = ContextVar("traceparent", default="")
_LOG = structlog.get_logger()

# Who asks whom: a span of what a client asked for, of what was taken from a queue, of what an upstream is asked.
SpanRole = Literal["server", "consumer", "client"]
AttributeValue = str | int | float | bool


class Span(Protocol):
    """Something that takes its time."""

    def set_attributes(self, **attributes: AttributeValue) -> None:
        """Say more of it. Never questions, answers, tokens, keys or cookies: others collect it."""
        ...

    def fail(self, reason: str, /) -> None:
        """It came to nothing, for a typed reason."""
        ...


class SpanExporter(Protocol):
    """Whom spans are told."""

    def start_span(
        self, name: str, kind: SpanRole, parent: str, attributes: dict[str, AttributeValue]
    ) -> AbstractContextManager[Span]:
        """A span during the body; it is the current trace there."""
        ...

    def record_span(self, name: str, parent: str, seconds: float) -> None:
        """A span that has just ended after so many seconds."""
        ...

    def close(self) -> None:
        """Send what is left, within seconds."""
        ...


class _NoSpan:
    """A span that nobody collects."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def set_attributes(self, **_: AttributeValue) -> None:
        return None

    def fail(self, _: str) -> None:
        return None


_NOTHING = _NoSpan()
_collector: SpanExporter | None = None


def normalize(traceparent: str) -> str:
    """The header's value as we pass it on; empty if it is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (traceparent.startswith("00") and found[2] is not None):
        return ""
    return f"00-{found[1]}"


def current_traceparent() -> str:
    """The `traceparent` of what is done now; empty if it belongs to no trace."""
    return _current.get()


def current_trace_id() -> str:
    """The id of the trace that what is done now belongs to; empty if it belongs to none."""
    return _current.get()[3:35]


def set_current(traceparent: str) -> None:
    """What this task does from now on belongs to that trace, if it is one."""
    _current.set(normalize(traceparent))


@contextmanager
def use_traceparent(traceparent: str) -> Iterator[None]:
    """The body belongs to that trace, if it is one."""
    before = _current.set(normalize(traceparent))
    try:
        yield
    finally:
        _current.reset(before)


def is_exporting() -> bool:
    """Whether anybody collects spans."""
    return _collector is not None


def start_span(name: str, kind: SpanRole, **attributes: AttributeValue) -> AbstractContextManager[Span]:
    """A span of the current trace, or of a new one, during the body."""
    if _collector is None:
        return _NOTHING
    return _collector.start_span(name, kind, current_traceparent(), attributes)


def record_span(name: str, seconds: float) -> None:
    """A span of the current trace that has just ended after so many seconds."""
    if _collector is not None:
        _collector.record_span(name, current_traceparent(), seconds)


@contextmanager
def export_spans(endpoint: str | None, service: str) -> Iterator[None]:
    """Spans of the body are sent to that OTLP endpoint, if there is one and the packages are installed."""
    global _collector  # noqa: PLW0603 - one for the process, as its log is
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
    _collector = OtlpExporter(endpoint, service)
    try:
        yield
    finally:
        collector, _collector = _collector, None
        collector.close()
