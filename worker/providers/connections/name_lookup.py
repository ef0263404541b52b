"""Look up the addresses of servers' names."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# More than there are servers, as a rule.
_MOST = 64


class NameLookup:
    """Finds addresses by the system's resolver, in threads: at most one for each name.

    A lookup can't be ended, and a name server that is silent takes ten seconds and more for each. In the few threads
    that the event loop has for all lookups, some questions to one such server would hold up those to all others.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST, thread_name_prefix="name-lookup")
        self._running: dict[tuple[str, int], Future[Sequence[Any]]] = {}

    async def find(self, host: str, port: int) -> Sequence[Any]:
        """Return the addresses of a host, as socket.getaddrinfo does. OSError, UnicodeError."""
        try:
            # An address needs no thread.
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            found = asyncio.wrap_future(self._start(host, port))
            # Where nobody waits any more, nobody hears of a failure.
            found.add_done_callback(lambda found: found.cancelled() or found.exception())
            return await asyncio.shield(found)

    def _start(self, host: str, port: int) -> Future[Sequence[Any]]:
        """Return the lookup that runs, or a new one. Who waits for it may give up; it is there for the next."""
        place = host, port
        running = self._running.get(place)
        if running is None or running.done():
            running = self._running[place] = self._threads.submit(_look_up, host, port)
        return running


def _look_up(host: str, port: int) -> Sequence[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
