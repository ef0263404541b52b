"""How turns search for an account: in order, and with bounds for those that wait."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from tests.support.conditions import SOON, until
from wire.ledger import NoCapacity
from worker.accounts.account import CookieAccount
from worker.accounts.reservation import NoAccountError, Reservation, ReservationRequest
from worker.accounts.room import AccountRoom
from worker.accounts.slot_search import SlotSearch, WaitingTurns

pytestmark = pytest.mark.anyio

BUSY = NoCapacity(busy=True, returns=-1, reason="")
SHARED = NoCapacity(busy=True, returns=-1, reason="", shared=True)


def away(seconds: float) -> NoCapacity:
    return NoCapacity(busy=False, returns=int(seconds * 1000), reason="account.throttled")


class Desk:
    """A worker's turns at a ledger that answers as the test says: `replies`, then `reply` for ever."""

    def __init__(self, slots: int = 8) -> None:
        self.room = AccountRoom(self._count, lambda: None)
        self.turns = WaitingTurns(slots, self.room, lambda names: set(names) == {"a", "b"}, pause=SOON)
        self.reply: NoCapacity | str = BUSY
        self.replies: deque[NoCapacity | str] = deque()
        # Who asked, and whether it would wait for the preferred account.
        self.asked: list[tuple[str, bool]] = []
        self.tasks: list[asyncio.Task[str]] = []

    async def _count(self) -> int | None:
        return None

    async def search(self, name: str, request: ReservationRequest, wait: float = SOON) -> str:
        async def ask(patient: bool) -> Reservation | NoCapacity:
            self.asked.append((name, patient))
            reply = self.replies.popleft() if self.replies else self.reply
            return reply if isinstance(reply, NoCapacity) else _reservation(reply)

        limit = asyncio.get_running_loop().time() + wait
        return (await SlotSearch(self.turns, request, limit, ask).run()).account.name

    async def enter(self, name: str, request: ReservationRequest) -> asyncio.Task[str]:
        """Let a turn search until it waits or has an account."""
        self.tasks.append(asyncio.create_task(self.search(name, request)))
        await asyncio.sleep(0)
        return self.tasks[-1]

    async def end_turn(self, account: str, turn: asyncio.Task[str]) -> None:
        """End a turn of the account, whose slot `turn` gets."""
        self.replies.append(account)
        self.turns.lines.wake(account)
        assert await turn == account


def _reservation(name: str) -> Reservation:
    def end(_penalty: object, _sent: bool) -> asyncio.Task[None]:
        raise AssertionError("not released here")

    return Reservation(CookieAccount(name, {"_U": name}), end)


def asks(
    client: str = "", *names: str, own: bool = False, wait: float = 0.0, preferred: str = ""
) -> ReservationRequest:
    return ReservationRequest(names or ("a", "b"), wait=wait, preferred=preferred, client=client, own=own)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    for task in desk.tasks:
        task.cancel()
    await asyncio.gather(*desk.tasks, return_exceptions=True)
    assert desk.room.places == math.inf


async def test_turns_get_accounts_in_the_order_in_which_they_came(desk: Desk) -> None:
    desk.room.update(0)
    turns = [await desk.enter(f"t{number}", asks("x")) for number in range(40)]
    assert [name for name, _ in desk.asked] == ["t0"]
    for turn in turns:
        await desk.end_turn("b", turn)
    assert [name for name, _ in desk.asked] == ["t0", *(f"t{number}" for number in range(40))]
    desk.room.update(None)


async def test_turns_for_other_accounts_do_not_wait_behind_these(desk: Desk) -> None:
    first = await desk.enter("first", asks("x"))
    desk.replies.append("c")
    assert await (await desk.enter("other", asks("x", "c"))) == "c"
    assert not first.done()


async def test_turns_that_wait_for_busy_accounts_take_the_workers_room(desk: Desk) -> None:
    desk.room.update(5)
    await desk.enter("one", asks("x"))
    assert desk.room.places == 4
    await desk.enter("two", asks("y"))
    assert desk.room.places == 3
    desk.room.update(0)
    assert desk.room.places == 0
    desk.room.update(None)


async def test_turns_that_wait_for_some_accounts_leave_the_room_of_the_others(desk: Desk) -> None:
    desk.room.update(5)
    for name in ("one", "two", "three"):
        await desk.enter(name, asks("x", "a"))
    assert desk.room.places == 5
    desk.room.update(None)


async def test_one_turn_of_a_client_waits_for_its_own_account_and_a_quarter_in_all(desk: Desk) -> None:
    desk.room.update(4)
    own = {client: await desk.enter(client, asks(client, "a", own=True)) for client in ("x", "y")}
    for client in ("x", "z"):
        with pytest.raises(NoAccountError) as refusal:
            await desk.search(client, asks(client, "a", own=True))
        assert refusal.value.busy
    assert desk.room.places == 4
    desk.room.update(None)
    await desk.end_turn("a", own["x"])
    third = await desk.enter("x", asks("x", "a", own=True))
    await desk.end_turn("a", own["y"])
    await desk.end_turn("a", third)


async def test_a_preferred_account_is_waited_for_within_the_same_bounds(desk: Desk) -> None:
    waiting = await desk.enter("one", asks("x", preferred="a"))
    assert desk.asked == [("one", True)]
    desk.replies.append("b")
    assert await desk.search("two", asks("x", preferred="a")) == "b"
    assert desk.asked[1:] == [("two", False)]
    await desk.end_turn("a", waiting)


async def test_a_turn_whose_place_at_its_account_was_taken_meanwhile_takes_another(desk: Desk) -> None:
    asked: list[bool] = []
    with ExitStack() as stack:

        async def ask(patient: bool) -> Reservation | NoCapacity:
            asked.append(patient)
            if not patient:
                return _reservation("b")
            stack.enter_context(desk.turns.own.hold("x"))
            return BUSY

        limit = asyncio.get_running_loop().time() + SOON
        reservation = await SlotSearch(desk.turns, asks("x", preferred="a"), limit, ask).run()
    assert (reservation.account.name, asked) == ("b", [True, False])


async def test_a_client_whose_turns_wait_already_asks_no_more_and_another_one_once(desk: Desk) -> None:
    desk.room.update(0)
    turns = [await desk.enter(client, asks(client)) for client in "xxyxy"]
    assert [client for client, _ in desk.asked] == ["x", "y"]
    for place in (0, 2, 1, 4, 3):
        await desk.end_turn("a", turns[place])
    assert "".join(client for client, _ in desk.asked[2:]) == "xyxyx"
    desk.room.update(None)


async def test_whoever_prefers_an_account_waits_in_line_where_its_turns_wait_for_all(desk: Desk) -> None:
    first = await desk.enter("first", asks("x"))
    second = await desk.enter("second", asks("x", preferred="a"))
    assert [name for name, _ in desk.asked] == ["first"]
    await desk.end_turn("a", first)
    await desk.end_turn("b", second)
    assert desk.asked[-1] == ("second", False)


async def test_two_turns_of_a_client_wait_for_a_return_and_a_quarter_in_all() -> None:
    desk = Desk(slots=12)
    desk.reply = away(30)
    waiting = [await desk.enter(client, asks(client, wait=100)) for client in ("x", "x", "y")]
    assert desk.room.places == math.inf
    for client in ("x", "z"):
        with pytest.raises(NoAccountError) as refusal:
            await desk.search(client, asks(client, wait=100))
        assert (refusal.value.returns, refusal.value.busy) == (30, False)
    waiting[2].cancel()
    await until(waiting[2].done)
    waiting.append(await desk.enter("z", asks("z", wait=100)))
    desk.reply = "a"
    assert [await turn for turn in waiting if turn is not waiting[2]] == ["a"] * 3


async def test_a_worker_with_one_slot_lets_its_turn_wait_for_anything() -> None:
    desk = Desk(slots=1)
    turn = await desk.enter("own", asks("x", "a", own=True))
    await desk.end_turn("a", turn)
    desk.room.update(1)
    turn = await desk.enter("any", asks("x"))
    assert desk.room.places == 0
    await desk.end_turn("a", turn)
    desk.replies.append(away(0.001))
    desk.reply = "b"
    assert await desk.search("return", asks("x", wait=SOON)) == "b"


async def test_turns_that_are_cancelled_while_they_wait_leave_nothing_behind(desk: Desk) -> None:
    turns = [await desk.enter(f"t{number}", asks("x")) for number in range(3)]
    turns.append(await desk.enter("own", asks("x", "a", own=True)))
    for turn in turns[:2] + turns[3:]:
        turn.cancel()
    await until(lambda: all(turn.done() for turn in turns[:2] + turns[3:]))
    await desk.end_turn("a", turns[2])
    assert desk.turns.own.admits("x")


async def test_a_line_whose_accounts_are_all_away_is_refused_at_once(desk: Desk) -> None:
    turns = [await desk.enter(f"t{number}", asks("x")) for number in range(3)]
    desk.reply = away(50)
    desk.room.update(None)
    desk.turns.lines.wake("a")
    for turn in turns:
        with pytest.raises(NoAccountError):
            await turn


async def test_a_turn_that_may_not_wait_asks_whoever_waits(desk: Desk) -> None:
    await desk.enter("first", asks("x"))
    with pytest.raises(NoAccountError) as refusal:
        await desk.search("spare", asks("x"), wait=0.0)
    assert refusal.value.busy
    assert [name for name, _ in desk.asked] == ["first", "spare"]


async def test_who_has_its_share_leaves_the_room_and_the_next_look_to_others(desk: Desk) -> None:
    desk.room.update(2)
    desk.reply = SHARED
    greedy = await desk.enter("greedy", asks("x"))
    await desk.enter("greedy too", asks("x"))
    assert desk.room.places == 2
    desk.reply = BUSY
    other = await desk.enter("other", asks("y"))
    desk.replies.append(SHARED)
    desk.turns.lines.wake("a")
    await until(lambda: not desk.replies)
    await desk.end_turn("a", other)
    await desk.end_turn("b", greedy)
    assert [name for name, _ in desk.asked][:4] == ["greedy", "other", "greedy", "other"]
    desk.room.update(None)


async def test_who_waits_and_then_has_its_share_leaves_the_room_too(desk: Desk) -> None:
    desk.room.update(2)
    await desk.enter("greedy", asks("x"))
    assert desk.room.places == 1
    desk.replies.append(SHARED)
    desk.turns.lines.wake("a")
    await until(lambda: desk.room.places == 2)
    desk.room.update(None)
