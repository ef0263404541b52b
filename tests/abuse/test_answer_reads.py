"""Finished answers are read no further than the clients that ask for them do, and others don't wait for them."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from tests.support.abuse.crowd import Crowd, crowd_at
from tests.support.conditions import until

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]

GREEDY, CONNECTIONS, QUESTIONS, ANSWERS = "127.0.0.9", 400, 10, 30
# The characters of an answer, which is written as fast as it can be.
LENGTH = 1_000_000
LONG = f"!long={LENGTH} !rate=1000000"


class Readers:
    """Read finished answers on many connections, each up to its first bytes; `begun` is how often.

    Then they hang up and read the next one, or read nothing more if they are `idle`.
    """

    def __init__(
        self, port: int, answers: Sequence[str], path: str = "/answers/{}/stream?after=1", *, idle: bool = False
    ) -> None:
        self.begun = 0
        self._port = port
        self._idle = idle
        self._paths = itertools.cycle(path.format(answer) for answer in answers)

    async def run(self) -> None:
        """Read on one connection after the other until cancelled."""
        while True:
            with contextlib.suppress(OSError), socket.socket() as connection:
                # Little is on its way when it hangs up, as for a client that is far away.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.bind((GREEDY, 0))
                connection.setblocking(False)
                await self._read(connection)

    async def _read(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, ("127.0.0.1", self._port))
        await loop.sock_sendall(connection, f"GET {next(self._paths)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while received := await loop.sock_recv(connection, 2048):
            if b"data: " in received:
                self.begun += 1
                if self._idle:
                    await asyncio.Event().wait()
                return


async def test_who_hangs_up_on_finished_answers_has_little_read_and_holds_up_nobody(tmp_path: Path) -> None:
    async with crowd_at(tmp_path) as crowd, anyio.create_task_group() as group:
        await crowd.join("small")
        written = await crowd.answers("small", LONG, ANSWERS)
        assert [exchange.code for exchange in written] == [200] * ANSWERS
        port = urlsplit(crowd.cluster.urls[0]).port
        assert port is not None
        readers = Readers(port, [exchange.answer for exchange in written])
        for _ in range(CONNECTIONS):
            group.start_soon(readers.run)
        await until(lambda: readers.begun >= CONNECTIONS, "the reads have begun")
        begun, read = readers.begun, bytes_read(crowd)
        beside = [exchange.code for _ in range(QUESTIONS) for exchange in await crowd.answers("small")]
        await until(lambda: readers.begun >= begun + CONNECTIONS, "the reads continue")
        for_each = (bytes_read(crowd) - read) / (readers.begun - begun)
        group.cancel_scope.cancel()
    assert beside == [200] * QUESTIONS
    assert for_each < LENGTH / 2


async def test_streams_of_finished_answers_that_nobody_reads_take_little_memory(tmp_path: Path) -> None:
    async with crowd_at(tmp_path) as crowd, anyio.create_task_group() as group:
        await crowd.join("small")
        written = await crowd.answers("small", LONG, ANSWERS)
        gateway, port = crowd.cluster.gateways[0], urlsplit(crowd.cluster.urls[0]).port
        assert port is not None
        path = "/v1/responses/resp_{}?stream=true"
        readers, before = Readers(port, [exchange.answer for exchange in written], path, idle=True), gateway.memory
        for _ in range(CONNECTIONS):
            group.start_soon(readers.run)
        await until(lambda: readers.begun >= CONNECTIONS, "the reads have begun")
        [beside] = await crowd.answers("small")
        assert beside.code == 200
        assert gateway.memory - before < CONNECTIONS * LENGTH / 4
        group.cancel_scope.cancel()


def bytes_read(crowd: Crowd) -> int:
    """Return how many bytes Redis has sent to all its clients."""
    return int(crowd.cluster.client.info("stats")["total_net_output_bytes"])
