"""What one address's connections read of finished answers leaves the event loop to others."""

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from tests.support.abuse.crowd import crowd_at
from tests.support.conditions import until

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]

GREEDY, CONNECTIONS, QUESTIONS, ANSWERS = "127.0.0.9", 100, 10, 5
# An answer of 1 MB, as fast as it can be written.
LONG = "!long=1000000 !rate=1000000"


class Readers:
    """Read finished answers on many connections, each up to its first bytes, again and again; `begun` is how often."""

    def __init__(self, port: int, answers: Sequence[str]) -> None:
        self.begun = 0
        self._port = port
        self._answers = itertools.cycle(answers)

    async def run(self) -> None:
        """Read on one connection after the other until cancelled."""
        while True:
            try:
                async with await anyio.connect_tcp("127.0.0.1", self._port, local_host=GREEDY) as stream:
                    path = f"/answers/{next(self._answers)}/stream?after=1"
                    await stream.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    while b"data: " not in await stream.receive():
                        pass
                    self.begun += 1
            except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                continue


async def test_readers_of_finished_answers_that_hang_up_hold_up_no_question_of_others(tmp_path: Path) -> None:
    """Beside each of another client's questions few reads begin: a read is a long step of its client's."""
    async with crowd_at(tmp_path) as crowd, anyio.create_task_group() as group:
        await crowd.join("small")
        written = await crowd.answers("small", LONG, ANSWERS)
        assert [exchange.code for exchange in written] == [200] * ANSWERS
        port = urlsplit(crowd.cluster.urls[0]).port
        assert port is not None
        readers, beside = Readers(port, [exchange.answer for exchange in written]), list[int]()
        for _ in range(CONNECTIONS):
            group.start_soon(readers.run)
        await until(lambda: readers.begun >= CONNECTIONS, "the reads have begun")
        for _ in range(QUESTIONS):
            before = readers.begun
            [exchange] = await crowd.answers("small")
            assert exchange.code == 200
            beside.append(readers.begun - before)
        before = readers.begun
        await until(lambda: readers.begun > before, "the reads continue")
        group.cancel_scope.cancel()
    assert statistics.median(beside) < 0.75 * CONNECTIONS
