"""A server that gives scripted replies to the commands of Redis, for those of which there is no binary."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import hiredis


@contextmanager
def scripted_redis(replies: Mapping[str, bytes]) -> Iterator[int]:
    """Run it in a thread, and yield its port. `replies`, as they are sent, by a command's first word or first two."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            parser = hiredis.Reader()
            while data := self.request.recv(4096):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    first, *others = [word.decode().upper() for word in command[:2]]
                    reply = replies.get(" ".join([first, *others])) or replies.get(first)
                    self.request.sendall(reply or b"-ERR unknown command\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def array(*parts: str) -> bytes:
    """Return an array of strings, as Redis sends it."""
    packed: bytes = hiredis.pack_command(cast(Any, parts))
    return packed


def bulk(text: str) -> bytes:
    """Return a string, as Redis sends it."""
    return f"${len(text.encode())}\r\n{text}\r\n".encode()
