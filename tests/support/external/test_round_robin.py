"""The proxy gives each request to the next gateway, and streams what comes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.support.external.round_robin import round_robin


@contextmanager
def gateway(name: str, proceed: threading.Event) -> Iterator[str]:
    """A server that says its name, and ends `/slow` when it is let."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(f"{name} {self.path} {self.headers['x-one']} ".encode())
            if self.path.startswith("/slow"):
                assert proceed.wait(10)
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_requests_go_to_each_gateway_by_turns_and_are_noted() -> None:
    proceed = threading.Event()
    with gateway("a", proceed) as one, gateway("b", proceed) as other, round_robin([one, other]) as proxy:
        with httpx.Client(headers={"X-One": "1"}) as client:
            texts = [client.post(f"{proxy.url}/path?x=y", content=b"body").text for _ in range(3)]
        assert texts == ["a /path?x=y 1 body", "b /path?x=y 1 body", "a /path?x=y 1 body"]
        assert [(request.gateway, request.path, request.status) for request in proxy.requests] == [
            (address, "/path", 201) for address in (one, other, one)
        ]


def test_a_stream_passes_as_it_comes() -> None:
    proceed = threading.Event()
    with (
        gateway("a", proceed) as address,
        round_robin([address]) as proxy,
        httpx.stream("POST", f"{proxy.url}/slow", content=b"end") as response,
    ):
        chunks = response.iter_text()
        assert next(chunks).startswith("a /slow")
        proceed.set()
        assert "".join(chunks) == "end"
