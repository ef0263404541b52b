"""The order in which turns that wait for busy accounts ask the ledger."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.conditions import SOON, until
from worker.accounts.waiting_lines import WaitingLines

pytestmark = pytest.mark.anyio

ALL = frozenset({"a", "b"})


class Queue:
    """Turns that wait, and who of them has asked, in order."""

    def __init__(self, has_room: Callable[[], bool] = lambda: False, pause: float = SOON) -> None:
        self.lines = WaitingLines(has_room)
        self.pause = pause
        self.asked: list[str] = []
        self.turns: dict[str, asyncio.Task[None]] = {}

    async def enter(self, name: str, accounts: frozenset[str] = ALL, times: int = 1, client: str = "x") -> None:
        """Let a turn wait until it has asked so many times."""
        self.turns[name] = asyncio.create_task(self._wait(name, accounts, times, client))
        await asyncio.sleep(0)

    async def _wait(self, name: str, accounts: frozenset[str], times: int, client: str) -> None:
        with self.lines.join(accounts, client) as place:
            for _ in range(times):
                await place.wait(self.pause, asyncio.get_running_loop().time() + SOON)
                self.asked.append(name)

    async def wake(self, account: str, name: str) -> None:
        """Wake who waits for the account, who is `name`."""
        self.lines.wake(account)
        await self.turns[name]


async def test_the_end_of_a_turn_wakes_who_has_waited_longest_and_nobody_else() -> None:
    queue = Queue()
    for name in ("one", "two", "three"):
        await queue.enter(name)
    for name in ("one", "two", "three"):
        await queue.wake("b", name)
    assert queue.asked == ["one", "two", "three"]
    queue.lines.wake("b")
    assert not queue.lines.has(ALL, "x")


async def test_clients_take_turns_however_many_turns_of_one_wait() -> None:
    queue = Queue()
    for name in ("x1", "x2", "x3", "y1", "z1", "y2"):
        await queue.enter(name, client=name[0])
    for name in ("x1", "y1", "z1", "x2", "y2", "x3"):
        await queue.wake("b", name)
    assert queue.asked == ["x1", "y1", "z1", "x2", "y2", "x3"]


async def test_whoever_leaves_in_the_middle_moves_nobody() -> None:
    queue = Queue()
    for name in ("x1", "y1", "y2", "z1"):
        await queue.enter(name, client=name[0])
    queue.turns["y1"].cancel()
    await until(queue.turns["y1"].done)
    for name in ("x1", "y2", "z1"):
        await queue.wake("b", name)


async def test_the_first_asks_again_and_again_and_the_others_not_at_all() -> None:
    queue = Queue(pause=0.001)
    for name in ("one", "two", "three"):
        await queue.enter(name, times=5)
    await queue.turns["three"]
    assert queue.asked == ["one"] * 5 + ["two"] * 5 + ["three"] * 5


async def test_lines_for_other_accounts_do_not_wait_for_each_other() -> None:
    queue = Queue()
    await queue.enter("a", frozenset("a"))
    await queue.enter("b", frozenset("b"))
    queue.lines.wake("c")
    await queue.wake("b", "b")
    assert not queue.turns["a"].done()
    await queue.wake("a", "a")


async def test_of_two_lines_the_one_whose_first_came_earlier_is_woken() -> None:
    queue = Queue()
    await queue.enter("early", frozenset("a"))
    await queue.enter("late")
    await queue.wake("a", "early")
    await queue.wake("a", "late")


async def test_the_next_asks_at_once_only_where_there_may_be_more_room() -> None:
    queue = Queue(lambda: True)
    await queue.enter("one")
    await queue.enter("two")
    await queue.wake("a", "one")
    await queue.turns["two"]
    queue = Queue(lambda: False)
    await queue.enter("one")
    await queue.enter("two")
    await queue.wake("a", "one")
    assert not queue.turns["two"].done()
    await queue.wake("a", "two")


async def test_a_turn_that_ends_while_its_waker_is_still_asking_is_asked_again_at_once() -> None:
    lines = WaitingLines(lambda: False)
    with lines.join(ALL, "x") as place:
        lines.wake("a")
        await place.wait(SOON, asyncio.get_running_loop().time() + SOON)
        lines.wake("a")
        await place.wait(SOON, asyncio.get_running_loop().time() + SOON)
        assert not place.is_woken
        assert (lines.has(ALL, "x"), lines.has(ALL, "y"), lines.has(frozenset("a"), "x")) == (True, False, False)


async def test_a_turn_that_leaves_after_it_was_woken_passes_that_on() -> None:
    lines = WaitingLines(lambda: False)
    with ExitStack() as first:
        first.enter_context(lines.join(ALL, "x"))
        with lines.join(ALL, "x") as second:
            lines.wake("a")
            assert not second.is_woken
            first.close()
            assert second.is_woken


async def test_a_turn_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    queue = Queue()
    await queue.enter("one")
    await queue.enter("two")
    queue.turns["one"].cancel()
    await until(queue.turns["one"].done)
    await queue.wake("a", "two")
    assert queue.asked == ["two"]


async def test_nobody_waits_for_longer_than_asked() -> None:
    lines, now = WaitingLines(lambda: False), asyncio.get_running_loop().time()
    with lines.join(ALL, "x") as first, lines.join(ALL, "x") as second:
        await second.wait(SOON, now)
        await first.wait(SOON, now + 0.01)


async def test_a_client_lets_others_ask_before_it_and_has_its_turn_again() -> None:
    lines, limit = WaitingLines(lambda: False), asyncio.get_running_loop().time() + SOON
    with lines.join(ALL, "x") as first, lines.join(ALL, "x"), lines.join(ALL, "y") as other:
        lines.let_others_ask(ALL, first)
        lines.wake("b")
        await other.wait(SOON, limit)
        lines.let_others_ask(ALL, other)
        lines.wake("b")
        await first.wait(SOON, limit)


async def test_a_client_that_waits_alone_asks_again_itself() -> None:
    lines = WaitingLines(lambda: False)
    with lines.join(ALL, "x") as place:
        lines.let_others_ask(ALL, place)
        lines.wake("a")
        await place.wait(SOON, asyncio.get_running_loop().time() + SOON)
