"""A collector of spans that speaks OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.processes import wait_until


def attributes(span: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource by name."""
    return {entry.key: entry.value.string_value or entry.value.int_value for entry in span.attributes}


@dataclass
class Collector:
    """The bodies that arrived, and the spans in them with their process's name."""

    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    def spans(self, trace: str) -> list[tuple[str, Any]]:
        """Return (process, span) for each span of a trace."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        return [
            (attributes(resource.resource)["service.name"], span)
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id.hex() == trace
        ]

    def named(self, trace: str, *names: str) -> dict[str, Any]:
        """Return the spans of a trace by `process name`, once all of these are there."""

        def all_named() -> dict[str, Any]:
            spans = {f"{process} {span.name}": span for process, span in self.spans(trace)}
            return spans if set(names) <= set(spans) else {}

        spans: dict[str, Any] = wait_until(all_named, f"the spans {names}")
        return spans


@contextmanager
def collecting() -> Iterator[Collector]:
    """Start a collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert "gzip" not in self.headers.get("content-encoding", "")
            collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_port
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()
