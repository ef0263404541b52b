"""Spans that are exported, as a collector gets them."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from telemetry.otel import OtlpExporter
from tests.support.otlp_collector import Collector, attributes, collecting
from tests.support.processes import free_port

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED_FLAG = 1
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class RefusedError(Exception):
    """An error with a reason of its own."""

    reason = "account.throttled"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def exporter(collector: Collector) -> OtlpExporter:
    return OtlpExporter(f"http://127.0.0.1:{collector.port}/", "worker")


def test_a_span_has_its_parent_its_process_and_dotted_attributes(collector: Collector, exporter: OtlpExporter) -> None:
    with exporter.start_span("turn", "consumer", SAMPLED, {"bing_request": "r"}) as span:
        span.set_attributes(http_response_status_code=200, http_route="/api")
        traceparent = span.traceparent
    exporter.close()
    ((process, exported),) = collector.spans(TRACE)
    assert (process, exported.name, exported.parent_span_id.hex()) == ("worker", "turn", PARENT)
    assert traceparent == f"00-{TRACE}-{exported.span_id.hex()}-01"
    assert attributes(exported) == {"bing.request": "r", "http.response.status_code": 200, "http.route": "/api"}


def test_a_span_without_a_parent_begins_a_trace(collector: Collector, exporter: OtlpExporter) -> None:
    with exporter.start_span("POST", "server", "", {}) as span:
        _, trace, _, flags = span.traceparent.split("-")
    exporter.close()
    ((_, exported),) = collector.spans(trace)
    assert exported.parent_span_id == b""
    assert int(flags, 16) & SAMPLED_FLAG


def test_a_span_of_an_unsampled_trace_is_not_exported(collector: Collector, exporter: OtlpExporter) -> None:
    with exporter.start_span("turn", "consumer", UNSAMPLED, {}) as span:
        assert span.traceparent.startswith(f"00-{TRACE}-")
        assert span.traceparent.endswith("-00")
    exporter.record_span("queue", UNSAMPLED, 1.0)
    exporter.close()
    assert collector.bodies == []


@pytest.mark.parametrize(
    ("error", "reason"), [(RefusedError("planted"), "account.throttled"), (KeyError("planted"), "KeyError")]
)
def test_an_error_leaves_its_reason_or_type_and_nothing_else(
    collector: Collector, exporter: OtlpExporter, error: Exception, reason: str
) -> None:
    with (
        pytest.raises(type(error)),
        exporter.start_span("attempt", "client", SAMPLED, {}),
    ):
        raise error
    exporter.close()
    ((_, exported),) = collector.spans(TRACE)
    assert attributes(exported) == {"error.type": reason}
    assert (exported.status.code, exported.status.message) == (exported.status.STATUS_CODE_ERROR, reason)
    assert b"planted" not in b"".join(collector.bodies)


def test_a_recorded_span_has_just_ended(collector: Collector, exporter: OtlpExporter) -> None:
    exporter.record_span("queue", SAMPLED, 1.5)
    with exporter.start_span("turn", "consumer", SAMPLED, {}):
        pass
    exporter.close()
    spans = {span.name: span for _, span in collector.spans(TRACE)}
    queue, turn = spans["queue"], spans["turn"]
    assert queue.end_time_unix_nano - queue.start_time_unix_nano == 1_500_000_000
    assert queue.end_time_unix_nano <= turn.start_time_unix_nano
    assert queue.parent_span_id.hex() == PARENT


def test_a_collector_that_is_away_raises_nothing() -> None:
    exporter = OtlpExporter(f"http://127.0.0.1:{free_port()}", "worker")
    with exporter.start_span("turn", "consumer", SAMPLED, {}):
        pass
    exporter.close()


class EndlessHandler(BaseHTTPRequestHandler):
    """Answers with a body that has no end, and counts its bytes."""

    sent = 0

    def do_POST(self) -> None:
        """Send until the client closes the connection."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while EndlessHandler.sent < MOST_SENT:
                EndlessHandler.sent += self.wfile.write(bytes(2**16))

    def log_message(self, *_: object) -> None:
        """Log nothing."""


MOST_SENT = 2**28


def test_the_answer_of_a_collector_is_not_read_to_its_end() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), EndlessHandler)
    server.daemon_threads = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    exporter = OtlpExporter(f"http://127.0.0.1:{server.server_port}", "worker")
    with exporter.start_span("POST", "server", "", {}):
        pass
    exporter.close()
    server.shutdown()
    server.server_close()
    assert 0 < EndlessHandler.sent < MOST_SENT
