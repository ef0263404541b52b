"""What requests load counts as large bodies do: one at a time of a client, and so much of all."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.http.body import BodyRoom
from gateway.http.large_read import LargeRead, admit_together
from wire.errors import ClientFullError
from wire.threads import LARGE

pytestmark = pytest.mark.anyio
SIZE = 2 * LARGE


class Reads:
    """Requests that load something, in a room for four of them."""

    def __init__(self) -> None:
        self.room = BodyRoom(4 * SIZE)
        self.admitted: list[str] = []
        self.rested: list[str] = []
        self.gate = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def read(self, client: str, time_limit: float = 60) -> LargeRead:
        """Return what a client loads."""

        async def rest() -> None:
            self.rested.append(client)

        return LargeRead(self.room, client, rest, time_limit)

    async def start(self, client: str, *sizes: int) -> None:
        """Begin to load these one after the other in one request, until the gate opens."""
        self.tasks.append(asyncio.create_task(self._load(client, sizes)))
        for _ in range(5):
            await asyncio.sleep(0)

    async def _load(self, client: str, sizes: tuple[int, ...]) -> None:
        async with self.read(client) as large:
            for size in sizes:
                await large.admit(size)
            self.admitted.append(client)
            await self.gate.wait()


@pytest.fixture
async def reads() -> AsyncIterator[Reads]:
    reads = Reads()
    yield reads
    reads.gate.set()
    await asyncio.gather(*reads.tasks)


async def test_of_eight_at_once_of_a_client_one_loads_beside_those_of_others(reads: Reads) -> None:
    for _ in range(8):
        await reads.start("a", SIZE)
    assert (reads.admitted, reads.room._room._sum) == (["a"], SIZE)
    await reads.start("b", 3 * SIZE)
    await reads.start("c", SIZE)
    assert (reads.admitted, reads.room._room._sum) == (["a", "b"], 4 * SIZE)
    reads.gate.set()
    await asyncio.gather(*reads.tasks)
    assert sorted(reads.admitted) == sorted(reads.rested) == ["a"] * 8 + ["b", "c"]
    assert not reads.room._room._sum


async def test_little_waits_for_nothing(reads: Reads) -> None:
    await reads.start("a", SIZE)
    await reads.start("a", LARGE, LARGE)
    assert (reads.admitted, reads.room._room._sum) == (["a", "a"], SIZE)


async def test_what_is_admitted_once_waits_no_more(reads: Reads) -> None:
    await reads.start("a", SIZE, SIZE, 2 * SIZE)
    assert (reads.admitted, reads.rested, reads.room._room._sum) == (["a"], ["a"], SIZE)


@pytest.mark.parametrize("other", ["a", "b"])
async def test_who_waits_for_too_long_comes_back_later(reads: Reads, other: str) -> None:
    await reads.start("a", 4 * SIZE)
    async with reads.read(other, 0.0) as large:
        with pytest.raises(ClientFullError):
            await large.admit(SIZE)
    assert reads.room._room._sum == 4 * SIZE
    async with reads.read(other, 0.0) as large:
        await large.admit(LARGE)


async def test_more_than_all_room_is_loaded_alone(monkeypatch: pytest.MonkeyPatch, reads: Reads) -> None:
    monkeypatch.setattr("gateway.http.large_read.LOADED", 4 * SIZE)
    await reads.start("a", 100 * SIZE)
    await reads.start("b", SIZE)
    assert reads.admitted == ["a"]


async def test_small_reads_that_follow_each_other_count_together() -> None:
    admitted = []

    async def admit(size: int) -> None:
        admitted.append(size)

    admit_next = admit_together(admit, 10 * LARGE)
    for size in (LARGE, 1, 20 * LARGE):
        await admit_next(size)
    assert admitted == [10 * LARGE, 21 * LARGE + 1]
