"""Starts our programs for the stand-ins: forked, since importing costs more than all else that they do."""

import json
import os
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.fork_server import ForkedProcess

_LIMIT = 100.0


class _Starts(socketserver.StreamRequestHandler):
    """One program: takes a line that says which, and answers with a line with its process id and one with its end."""

    def handle(self) -> None:
        request = json.loads(self.rfile.readline())
        stdin, stdout, stderr = (Path(f"/proc/{request['pid']}/fd/{number}") for number in range(3))
        started = ForkedProcess(
            request["module"],
            request["arguments"],
            request["environment"],
            Path(request["folder"]),
            stdout,
            stderr,
            stdin,
        )
        self.wfile.write(b"%d\n" % started.pid)
        self.wfile.flush()
        self.wfile.write(b"%d\n" % started.wait(_LIMIT))


@contextmanager
def launcher() -> Iterator[Path]:
    """Start programs for whoever connects to the socket at this path."""
    with tempfile.TemporaryDirectory(prefix="docs-") as folder:  # pytest's folders have paths too long for a socket
        path = Path(folder) / "socket"
        with socketserver.ThreadingUnixStreamServer(os.fspath(path), _Starts) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield path
            server.shutdown()
