"""What one address's connections send, before a request and on open sockets, leaves the event loop to others."""

import itertools
import statistics
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.abc import SocketStream

from tests.support.abuse.crowd import crowd_at
from tests.support.conditions import until

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]

GREEDY, CONNECTIONS, QUESTIONS = "127.0.0.9", 50, 10
UPGRADE = (
    b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
LONG_PATH = b"GET /" + b"%E6%97%A5" * 7000 + b" HTTP/1.1\r\n"
MEMBERS = (
    b'{"style": "balanced", "other": {' + b", ".join(b'"m%04d": "%b"' % (n, b"y" * 16) for n in range(2000)) + b"}}"
)
MESSAGE = b"\x81\xff" + len(MEMBERS).to_bytes(8, "big") + bytes(4) + MEMBERS
# What a connection begins with, and what it then sends again and again; and whether that takes long.
FLOODS = {
    "paths": (LONG_PATH + b"Host: localhost\r\n\r\n", b"", False),
    "handshakes": (LONG_PATH + UPGRADE, b"", False),
    "headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a:b\r\n" * 13000 + b"\r\n", b"", False),
    "chunks": (
        b"POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n" * 8000,
        True,
    ),
    "messages": (b"GET /ws_stream HTTP/1.1\r\n" + UPGRADE, MESSAGE, True),
}


class Flood:
    """Sends one kind of flood on each connection, and begins anew where one is closed; `sent` is how often."""

    def __init__(self, port: int, kind: str) -> None:
        self.sent = 0
        self._port = port
        self._first, self._more, _ = FLOODS[kind]
        self._reads = kind != "chunks"

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                async with await anyio.connect_tcp("127.0.0.1", self._port, local_host=GREEDY) as stream:
                    await self._send(stream)
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
                continue

    async def _send(self, stream: SocketStream) -> None:
        await stream.send(self._first)
        for part in itertools.repeat(self._more) if self._more else [b""]:
            if self._reads:
                await stream.receive()
            await stream.send(part)
            self.sent += 1


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_one_address_holds_up_no_question_of_others(kind: str, tmp_path: Path) -> None:
    """Where each part of the flood takes long, few are handled beside each of another client's questions."""
    async with crowd_at(tmp_path) as crowd, anyio.create_task_group() as group:
        await crowd.join("small")
        await crowd.answers("small")
        port = urlsplit(crowd.cluster.urls[0]).port
        assert port is not None
        flood, beside = Flood(port, kind), list[int]()
        for _ in range(CONNECTIONS):
            group.start_soon(flood.run)
        await until(lambda: flood.sent >= CONNECTIONS, "the flood has begun")
        for _ in range(QUESTIONS):
            before = flood.sent
            [exchange] = await crowd.answers("small")
            assert exchange.code == 200
            beside.append(flood.sent - before)
        group.cancel_scope.cancel()
    assert not FLOODS[kind][2] or statistics.median(beside) < 0.75 * CONNECTIONS
