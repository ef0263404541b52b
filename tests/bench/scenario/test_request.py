"""One request over the standard library."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bench.scenario.errors import RefusedError, WrongEndError
from bench.scenario.request import STREAM, is_stream, read_data, request

BODIES = {
    "/data": (200, "application/json", b'{"code": 200, "message": "success", "data": [1]}'),
    "/busy": (503, "application/json", b'{"code": 503, "message": "busy"}'),
    "/page": (502, "text/html", b"<html>"),
    "/stream": (200, f"{STREAM}; charset=utf-8", b"data: 1\n\n"),
}


class PlayedHandler(BaseHTTPRequestHandler):
    """Answers each path with its body, and keeps the request lines."""

    lines: list[str] = []

    def do_GET(self) -> None:
        self.lines.append(self.requestline)
        status, content_type, body = BODIES[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), PlayedHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_fields_are_the_query_and_the_data_comes_back(address: str) -> None:
    with request(address, "/data", {"question": "what is a river?"}) as response:
        assert not is_stream(response)
        assert read_data(response) == [1]
    assert PlayedHandler.lines[-1] == "GET /data?question=what+is+a+river%3F HTTP/1.1"


def test_a_refusal_has_the_time_of_its_header(address: str) -> None:
    with request(address, "/busy", {}) as response, pytest.raises(RefusedError) as refusal:
        read_data(response)
    assert refusal.value.retry_after == 7


def test_a_body_that_is_no_json_is_wrong(address: str) -> None:
    with request(address, "/page", {}) as response, pytest.raises(WrongEndError, match="502 with a body"):
        read_data(response)


def test_a_stream_is_known_by_its_type(address: str) -> None:
    with request(address, "/stream", {}) as response:
        assert is_stream(response)
