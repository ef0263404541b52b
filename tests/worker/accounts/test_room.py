"""How many more turns a worker's accounts can take."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable

import pytest

from tests.support.conditions import until
from wire.errors import StoreUnavailableError
from worker.accounts.room import AccountRoom

pytestmark = pytest.mark.anyio


class Book:
    """A ledger whose room a test sets. `called` counts how often there was room again."""

    def __init__(self) -> None:
        self.free: int | None = 0
        self.away = False
        self.looks = 0
        self.called = 0
        self.room = AccountRoom(self.count, self.on_room, pause=0.001)

    async def count(self) -> int | None:
        self.looks += 1
        if self.away:
            raise StoreUnavailableError("away")
        return self.free

    def on_room(self) -> None:
        self.called += 1


@pytest.fixture
async def looking() -> AsyncIterator[Callable[[Book], asyncio.Task[None]]]:
    tasks = []

    def start(book: Book) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(book.room.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()


def test_room_that_was_never_counted_or_has_no_limit_is_infinite() -> None:
    book = Book()
    assert book.room.places == math.inf
    book.room.update(3)
    assert book.room.places == 3
    book.room.update(None)
    assert book.room.places == math.inf


def test_turns_that_look_for_an_account_take_room_unless_they_wait_for_their_own() -> None:
    room = Book().room
    room.update(2)
    with room.seek(), room.seek():
        assert room.places == 0
        with room.seek(), room.stand_aside():
            assert room.places == 0
        with room.stand_aside():
            assert room.places == 1
    assert room.places == 2


def test_the_worker_hears_of_room_once_each_time_that_there_is_some_again() -> None:
    book = Book()
    book.room.update(0)
    assert book.called == 0
    book.room.add_one()
    book.room.add_one()
    assert (book.room.places, book.called) == (2, 1)
    book.room.update(0)
    book.room.update(5)
    assert book.called == 2
    book.room.update(1)
    with book.room.seek():
        assert book.called == 2
    assert book.called == 3


async def test_the_ledger_is_looked_into_until_there_is_room(
    looking: Callable[[Book], asyncio.Task[None]],
) -> None:
    book = Book()
    book.room.update(0)
    running = looking(book)
    await asyncio.sleep(0)
    assert book.looks == 0
    book.room.want()
    await until(lambda: book.looks > 2)
    book.away = True
    await until(lambda: book.looks > 4)
    assert book.called == 0
    book.away, book.free = False, 1
    await until(lambda: book.called == 1)
    looks = book.looks
    book.room.want()
    await until(lambda: not book.room.is_wanted)
    assert (book.looks, running.done()) == (looks, False)


async def test_a_turn_that_waits_in_a_line_looks_for_all(looking: Callable[[Book], asyncio.Task[None]]) -> None:
    book, other = Book(), Book()
    for one in (book, other):
        one.room.update(0)
        looking(one)
        one.room.want()
    with book.room.seek(), book.room.wait():
        await until(lambda: other.looks > 5)
        assert book.looks == 0
    await until(lambda: book.looks > 0)
