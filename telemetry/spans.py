"""The interface between the code that makes spans and the exporter that sends them."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol

# A request of a client, a job taken from a queue, or a request to an upstream.
SpanRole = Literal["server", "consumer", "client"]
AttributeValue = str | int | float | bool


class Span(Protocol):
    """A span that is open."""

    @property
    def traceparent(self) -> str:
        """The span's own `traceparent`; empty if it has none."""
        ...

    def set_attributes(self, **attributes: AttributeValue) -> None:
        """Add attributes. Never questions, answers, tokens, keys or cookies: other systems collect them."""
        ...

    def fail(self, reason: str, /) -> None:
        """Mark the span as failed, for a typed reason."""
        ...


class SpanExporter(Protocol):
    """An exporter of spans."""

    def start_span(
        self, name: str, role: SpanRole, parent: str, attributes: dict[str, AttributeValue]
    ) -> AbstractContextManager[Span]:
        """Open a span for the body."""
        ...

    def record_span(self, name: str, parent: str, seconds: float) -> None:
        """Record a span that has just ended after `seconds`."""
        ...

    def close(self) -> None:
        """Send what is left, within seconds."""
        ...


class NoopSpan:
    """A span that is not exported."""

    traceparent = ""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def set_attributes(self, **_: AttributeValue) -> None:
        """Do nothing."""

    def fail(self, _: str) -> None:
        """Do nothing."""
