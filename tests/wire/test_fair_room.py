"""Who is admitted when: a client's much waits behind its own, and no large claim is overtaken for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import ClientFullError
from wire.fair_room import FairRoom

pytestmark = pytest.mark.anyio
LIMIT = 8


class Room:
    """A room whose claims are named by their client and number, and leave it when they are let go."""

    def __init__(self) -> None:
        self.room = FairRoom()
        self.held: dict[str, int] = {}
        self.admitted: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def claim(self, name: str, size: int) -> None:
        """Begin to wait for some room; the name's first letter is the client."""
        self.gates[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, size))
        await settle()

    async def _hold(self, name: str, size: int) -> None:
        async with self.room.take(name[0], size, LIMIT):
            self.admitted.append(name)
            self.held[name] = size
            try:
                await self.gates[name].wait()
            finally:
                del self.held[name]

    async def leave(self, name: str) -> None:
        """Give back what a claim has."""
        self.gates[name].set()
        await settle()

    async def cancel(self, name: str) -> None:
        """Cancel a claim, whether it waits or has its room."""
        self.tasks[name].cancel()
        await settle()


async def settle() -> None:
    """Let all tasks run as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    for task in room.tasks.values():
        task.cancel()
    await asyncio.gather(*room.tasks.values(), return_exceptions=True)


async def test_a_client_leaves_as_much_as_it_takes(room: Room) -> None:
    for name, size in (("a1", 3), ("a2", 3), ("b1", 3)):
        await room.claim(name, size)
    assert room.admitted == ["a1", "b1"]
    await room.leave("a1")
    assert room.admitted == ["a1", "b1", "a2"]


async def test_who_waits_is_admitted_in_rounds_of_the_clients(room: Room) -> None:
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        await room.claim(name, LIMIT)
    order = ["a1", "a2", "b1", "c1", "a3", "b2"]
    for admitted, name in enumerate(order, 1):
        assert room.admitted == order[:admitted]
        await room.leave(name)


async def test_a_large_claim_is_not_overtaken_by_those_behind_it(room: Room) -> None:
    await room.claim("a1", 3)
    await room.claim("b1", 6)
    await room.claim("c1", 1)
    assert room.admitted == ["a1"]
    await room.leave("a1")
    assert room.admitted == ["a1", "b1", "c1"]


async def test_a_claim_above_the_limit_comes_alone(room: Room) -> None:
    await room.claim("a1", 1)
    await room.claim("b1", 10 * LIMIT)
    assert room.admitted == ["a1"]
    await room.leave("a1")
    await room.claim("c1", 1)
    assert room.admitted == ["a1", "b1"]
    await room.leave("b1")
    assert room.admitted == ["a1", "b1", "c1"]


async def test_who_gives_up_holds_up_nobody(room: Room) -> None:
    await room.claim("a1", 4)
    await room.claim("b1", 6)
    await room.claim("c1", 1)
    await room.cancel("b1")
    assert room.admitted == ["a1", "c1"]


async def test_what_is_admitted_and_cancelled_at_once_is_given_back(room: Room) -> None:
    await room.claim("a1", LIMIT)
    await room.claim("b1", LIMIT)
    room.gates["a1"].set()
    # In the round after this one the other has its room, and doesn't know it yet.
    await asyncio.sleep(0)
    room.tasks["b1"].cancel()
    await settle()
    await room.claim("c1", LIMIT)
    assert room.admitted == ["a1", "c1"]


def take_now(room: Room, client: str, size: int) -> AbstractContextManager[None]:
    return room.room.take_now(client, size, LIMIT)


async def test_what_cannot_wait_is_refused_but_for_the_first_of_a_client(room: Room) -> None:
    with take_now(room, "a", 4), pytest.raises(ClientFullError), take_now(room, "a", 1):
        pass
    with take_now(room, "a", LIMIT), take_now(room, "b", LIMIT):
        await room.claim("c1", 1)
        assert not room.admitted
        assert (room.room.count_waiting("c"), room.room.count_waiting("a")) == (1, 0)
    await settle()
    assert room.admitted == ["c1"]
    assert not room.room.count_waiting("c")


@pytest.mark.parametrize("behind", [[], ["b2"]])
async def test_who_is_cancelled_while_another_leaves_takes_nothing(room: Room, behind: list[str]) -> None:
    for name in ("a1", "b1", *behind):
        await room.claim(name, LIMIT)
    # The holder leaves in the next round of the loop, before the other notices that it is cancelled.
    room.gates["a1"].set()
    room.tasks["b1"].cancel()
    await settle()
    for name in behind:
        await room.leave(name)
    await room.claim("c1", LIMIT)
    assert room.admitted == ["a1", *behind, "c1"]
    await room.leave("c1")
    assert (room.room._sum, room.room._taken, room.room._lines) == (0, {}, {})
    await room.tasks["a1"]


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 2 * LIMIT), st.integers(0, 3)), max_size=30)


@given(STEPS)
async def test_the_sum_is_bounded_and_everybody_is_admitted_at_last(steps: list[tuple[str, int, int]]) -> None:
    room: Any = Room()
    for number, (client, size, leaving) in enumerate(steps):
        await room.claim(f"{client}{number}", size)
        for name in list(room.held)[:leaving]:
            await room.leave(name)
        assert sum(room.held.values()) <= LIMIT or len(room.held) == 1
    while room.held:
        await room.leave(next(iter(room.held)))
        assert sum(room.held.values()) <= LIMIT or len(room.held) == 1
    assert len(room.admitted) == len(steps)
    assert (room.room._sum, room.room._taken, room.room._lines) == (0, {}, {})
