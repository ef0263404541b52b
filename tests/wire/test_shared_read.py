"""A picture of the table for all requests."""

import asyncio

import pytest

from wire.errors import StoreUnavailableError
from wire.model_table import ModelTable
from wire.shared_read import MAX_AGE, SharedRead

pytestmark = pytest.mark.anyio


class Source:
    """Counts reads; a read ends when `go` is set. `now` is the clock."""

    def __init__(self) -> None:
        self.reads = 0
        self.now = 100.0
        self.go = asyncio.Event()
        self.away = False
        self.reader = SharedRead(self.read, lambda: self.now)

    async def read(self) -> ModelTable:
        self.reads += 1
        number = self.reads
        await self.go.wait()
        if self.away:
            raise StoreUnavailableError("away")
        return ModelTable(default=str(number))


async def test_all_requests_share_one_read_and_its_picture_for_two_seconds() -> None:
    source = Source()
    waiting = [asyncio.create_task(source.reader.read()) for _ in range(50)]
    await asyncio.sleep(0)
    source.go.set()
    assert {table.default for table in await asyncio.gather(*waiting)} == {"1"}
    source.now += MAX_AGE
    assert (await source.reader.read()).default == "1"
    source.now += 0.001
    assert (await source.reader.read()).default == "2"
    assert source.reads == 2


async def test_the_age_of_a_picture_counts_from_the_begin_of_its_read() -> None:
    source = Source()
    waiting = asyncio.create_task(source.reader.read())
    await asyncio.sleep(0)
    source.now += MAX_AGE + 0.001
    source.go.set()
    assert (await waiting).default == "1"
    assert (await source.reader.read()).default == "2"


async def test_a_younger_picture_can_be_asked_for() -> None:
    source = Source()
    source.go.set()
    await source.reader.read()
    source.now += 0.5
    assert (await source.reader.read(1.0)).default == "1"
    assert (await source.reader.read(0.1)).default == "2"


async def test_a_request_that_leaves_ends_the_read_for_nobody_else() -> None:
    source = Source()
    first, second = (asyncio.create_task(source.reader.read()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    source.go.set()
    assert (await second).default == "1"


async def test_a_read_that_fails_fails_for_all_who_wait_and_the_next_tries_again() -> None:
    source = Source()
    source.away = True
    waiting = [asyncio.create_task(source.reader.read()) for _ in range(3)]
    await asyncio.sleep(0)
    source.go.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in errors] == [StoreUnavailableError] * 3
    assert source.reads == 1
    source.away = False
    assert (await source.reader.read()).default == "2"


async def test_a_read_that_is_still_running_ends_with_its_process() -> None:
    source = Source()
    waiting = asyncio.create_task(source.reader.read())
    await asyncio.sleep(0)
    await source.reader.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
