"""The account ledger: one truth for all workers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.redis_client import redis_client
from tests.support.wire.ledger_clock import advance
from tests.support.wire.scenario import RepeatingStore
from wire import keys
from wire.ledger import (
    PICTURES,
    AccountAlert,
    AccountChange,
    AccountRecord,
    AccountSlot,
    AccountStatus,
    Ledger,
    NoCapacity,
    Order,
    TurnOutcome,
)
from wire.model_table import ModelTable, Offer
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

DAY = 24 * 3600
HOLD = 300.0


class Book:
    """A ledger with two accounts, and short ways to use it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ledger = Ledger(store)

    async def announce(
        self, name: str, print_: str = "cookie", last: AccountStatus | None = None, *, worker: str = "w", **more: Any
    ) -> bool:
        return await self.ledger.announce(AccountRecord(name, print_, **more), last or AccountStatus(name), worker)

    async def reserve(self, job: str, *names: str, worker: str = "w", hold: float = HOLD) -> str | NoCapacity:
        ranks = dict.fromkeys(names or ("a", "b"), 0)
        return (await self.ledger.reserve(AccountSlot(job, 1, worker), ranks, hold)).outcome

    async def end(
        self,
        job: str,
        name: str,
        outcome: TurnOutcome = "ok",
        pause: float = 0.0,
        sent: bool = True,
        print_: str = "cookie",
        worker: str = "w",
    ) -> str:
        change = await self.ledger.record(
            name, AccountSlot(job, 1, worker), print_, outcome, f"because.{outcome}", sent=sent, pause=pause
        )
        return change.state

    async def standing(self, name: str) -> AccountStatus:
        return next(status for status in await self.ledger.read_statuses() if status.name == name)


@pytest.fixture(params=[Store, RepeatingStore])
async def book(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Book]:
    store = request.param(store_url)
    book = Book(store)
    await book.announce("a")
    await book.announce("b")
    yield book
    await store.close()


async def test_the_account_with_the_least_in_flight_is_chosen(book: Book) -> None:
    assert [await book.reserve(job) for job in ("1", "2", "3", "4")] == ["a", "b", "a", "b"]
    assert (await book.standing("a")).in_flight == 2
    await book.end("1", "a")
    await book.end("3", "a")
    assert await book.reserve("5") == "a"


async def test_turns_are_spread_fairly_and_by_weight(book: Book) -> None:
    await book.announce("b", weight=3.0)
    chosen = []
    for job in range(40):
        name = await book.reserve(str(job))
        assert isinstance(name, str)
        chosen.append(name)
        await book.end(str(job), name)
    assert chosen.count("b") == 30


async def test_the_lowest_rank_that_has_room_goes_first_whatever_its_load(book: Book) -> None:
    await book.announce("a", turns=2)
    await book.announce("c")

    async def reserve(job: str) -> str | NoCapacity:
        return (await book.ledger.reserve(AccountSlot(job, 1, "w"), {"a": 0, "b": 1, "c": 1}, HOLD)).outcome

    assert [await reserve(job) for job in ("1", "2", "3", "4", "5")] == ["a", "a", "b", "c", "b"]
    await book.end("1", "a")
    assert await reserve("6") == "a"
    await book.end("2", "a", "dead")
    assert await reserve("7") == "c"


async def test_the_bound_of_turns_in_flight_holds_over_all_workers(book: Book) -> None:
    for name in ("a", "b"):
        await book.announce(name, turns=1)
    assert {await book.reserve("1", worker="w1"), await book.reserve("2", worker="w2")} == {"a", "b"}
    assert await book.reserve("3") == NoCapacity(True, -1, "")
    await book.end("1", "a", worker="w1")
    assert await book.reserve("3") == "a"


async def test_a_reservation_that_is_repeated_is_the_same(book: Book) -> None:
    assert await book.reserve("1") == await book.reserve("1") == "a"
    assert (await book.standing("a")).in_flight == 1


async def test_a_turn_counts_once_and_only_if_it_was_sent(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a")
    await book.end("1", "a")
    await book.reserve("2", "a")
    await book.end("2", "a", "none", sent=False)
    status = await book.standing("a")
    assert (status.turns_today, status.in_flight) == (1, 0)


async def test_a_turn_of_yesterday_does_not_count(book: Book) -> None:
    await book.announce("a", daily=2)
    for job in ("1", "2"):
        await book.reserve(job, "a")
        await book.end(job, "a")
    full = await book.reserve("3", "a")
    assert isinstance(full, NoCapacity)
    assert (full.reason, DAY * 1000 - 60_000 < full.returns <= DAY * 1000) == ("account.throttled", True)
    await advance(book.store, DAY + 1)
    assert await book.reserve("3", "a") == "a"
    assert (await book.standing("a")).turns_today == 0


async def test_a_place_that_is_never_given_back_lapses_and_counts(book: Book) -> None:
    await book.announce("a", turns=1)
    await book.reserve("1", "a")
    assert isinstance(await book.reserve("2", "a"), NoCapacity)
    await advance(book.store, HOLD + 1)
    assert await book.reserve("2", "a") == "a"
    assert (await book.standing("a")).turns_today == 1


async def test_a_dead_workers_places_are_given_back_and_count(book: Book) -> None:
    await book.reserve("1", "a", worker="dead")
    await book.reserve("2", "a", worker="alive-not-dead")
    await book.ledger.free_slots("dead")
    status = await book.standing("a")
    assert (status.in_flight, status.turns_today) == (1, 1)


@pytest.mark.parametrize(("outcome", "state"), [("quarantined", "quarantined"), ("dead", "dead")])
async def test_what_waits_for_a_person_does_not_return_by_itself(book: Book, outcome: TurnOutcome, state: str) -> None:
    await book.reserve("1", "a")
    assert await book.end("1", "a", outcome) == state
    await advance(book.store, 30 * DAY)
    assert await book.reserve("2", "a") == NoCapacity(False, -1, "")
    assert (await book.standing("a")).reason == f"because.{outcome}"


async def test_a_cooling_account_gets_no_turn_before_its_time_and_one_trial_after_it(book: Book) -> None:
    for job in ("1", "2"):
        await book.reserve(job, "a")
    assert await book.end("1", "a", "cooling", pause=100) == "cooling"
    waiting = await book.reserve("3", "a")
    assert isinstance(waiting, NoCapacity)
    assert (waiting.busy, 90_000 < waiting.returns <= 100_000, waiting.reason) == (False, True, "because.cooling")
    await book.end("2", "a")
    assert (await book.standing("a")).state == "cooling"
    await advance(book.store, 101)
    assert await book.reserve("4", "a") == "a"
    assert await book.reserve("5", "a") == NoCapacity(True, -1, "")
    assert await book.end("4", "a") == "ready"
    assert [await book.reserve(job, "a") for job in ("5", "6")] == ["a", "a"]


async def test_a_trial_comes_first_so_that_an_account_returns_by_itself(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a", "cooling", pause=10)
    assert await book.reserve("2") == "b"
    await advance(book.store, 11)
    assert await book.reserve("3") == "a"
    assert await book.reserve("4") == "b"


async def test_a_trial_that_fails_cools_again(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a", "cooling", pause=10)
    await advance(book.store, 11)
    await book.reserve("2", "a")
    assert await book.end("2", "a", "cooling", pause=50) == "cooling"
    assert isinstance(await book.reserve("3", "a"), NoCapacity)


async def test_a_deadline_is_only_ever_put_off(book: Book) -> None:
    for job in ("1", "2"):
        await book.reserve(job, "a")
    await book.end("1", "a", "cooling", pause=DAY)
    before = (await book.standing("a")).until
    await book.end("2", "a", "trouble", pause=1)
    assert (await book.standing("a")).until == before


async def test_late_ends_do_not_bring_back_what_waits_for_a_person(book: Book) -> None:
    for job in ("1", "2", "3"):
        await book.reserve(job, "a")
    await book.end("1", "a", "quarantined")
    await book.end("2", "a", "cooling", pause=1)
    await book.end("3", "a")
    assert (await book.standing("a")).state == "quarantined"


async def test_pauses_after_trouble_grow_with_each_failure_in_a_row_and_start_over(book: Book) -> None:
    pauses = []
    for job in range(4):
        await book.reserve(str(job), "a")
        await book.end(str(job), "a", "trouble", pause=1)
        waiting = await book.reserve("next", "a")
        assert isinstance(waiting, NoCapacity)
        pauses.append(round(waiting.returns / 1000))
        await advance(book.store, 3600)
    assert pauses == [1, 2, 4, 8]
    await book.reserve("good", "a")
    await book.end("good", "a")
    await book.reserve("again", "a")
    await book.end("again", "a", "trouble", pause=1)
    again = await book.reserve("next", "a")
    assert isinstance(again, NoCapacity)
    assert again.returns <= 1000


async def test_turns_that_fail_together_make_one_short_pause(book: Book) -> None:
    for job in range(8):
        await book.reserve(str(job), "a")
    for job in range(8):
        await book.end(str(job), "a", "trouble", pause=1)
    waiting = await book.reserve("next", "a")
    assert isinstance(waiting, NoCapacity)
    assert waiting.returns <= 1000


@pytest.mark.parametrize(("sent", "longest"), [(True, 60), (False, 8)])
async def test_pauses_after_trouble_stay_short_where_nothing_was_sent(book: Book, sent: bool, longest: int) -> None:
    pauses = []
    for job in range(8):
        await book.reserve(str(job), "a")
        await book.end(str(job), "a", "trouble", pause=1, sent=sent)
        waiting = await book.reserve("next", "a")
        assert isinstance(waiting, NoCapacity)
        pauses.append(round(waiting.returns / 1000))
        await advance(book.store, 60)
    assert (pauses[0], pauses[-1]) == (1, longest)


async def test_inner_errors_pause_an_account_only_when_they_go_on(book: Book) -> None:
    states = []
    for job in range(3):
        await book.reserve(str(job), "a")
        states.append(await book.end(str(job), "a", "internal", pause=10))
    assert states == ["ready", "ready", "cooling"]


async def test_an_account_that_failed_just_now_comes_after_the_others(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a", "internal", pause=10)
    for job in ("2", "3", "4"):
        assert await book.reserve(job) == "b"
    await advance(book.store, 61)
    assert await book.reserve("5") == "a"


async def test_a_new_cookie_lifts_everything_but_what_was_spent(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a", "dead")
    await book.announce("a", "cookie")
    assert isinstance(await book.reserve("2", "a"), NoCapacity)
    await book.announce("a", "new cookie")
    assert await book.reserve("2", "a") == "a"
    assert (await book.standing("a")).turns_today == 1


async def test_a_failure_with_the_old_cookie_does_not_count_against_the_new_one(book: Book) -> None:
    await book.reserve("1", "a")
    await book.announce("a", "new cookie")
    assert await book.end("1", "a", "quarantined", print_="cookie") == "ready"
    status = await book.standing("a")
    assert (status.in_flight, status.turns_today) == (0, 1)


async def test_an_operator_pauses_resumes_releases_and_resets(book: Book) -> None:
    assert await book.ledger.execute_order("unknown", "pause") is None
    await book.ledger.execute_order("a", "pause")
    assert (await book.standing("a")).paused
    assert isinstance(await book.reserve("1", "a"), NoCapacity)
    await book.ledger.execute_order("a", "resume")
    await book.reserve("1", "a")
    await book.end("1", "a", "quarantined")
    assert await book.ledger.execute_order("a", "release") == "quarantined"
    assert (await book.standing("a")).state == "cooling"
    await book.reserve("2", "a")
    await book.end("2", "a")
    assert (await book.standing("a")).state == "ready"
    await book.reserve("3", "a")
    await book.end("3", "a", "dead")
    await book.ledger.execute_order("a", "pause")
    await book.ledger.execute_order("a", "reset")
    status = await book.standing("a")
    assert (status.state, status.paused, status.turns_today, status.failures) == ("ready", False, 0, 0)


async def test_what_a_worker_remembers_counts_only_where_nothing_is_known(book: Book) -> None:
    last = AccountStatus("c", state="quarantined", reason="account.captcha", failures=2, turns_today=7)
    await book.announce("c", last=last)
    await book.announce("c", last=AccountStatus("c"))
    status = await book.standing("c")
    assert (status.state, status.reason, status.failures, status.turns_today) == (
        "quarantined",
        "account.captcha",
        2,
        7,
    )


async def test_failures_are_counted_by_their_reason(book: Book) -> None:
    for job, outcome in enumerate(("trouble", "trouble", "internal")):
        await book.reserve(str(job), "a")
        await book.end(str(job), "a", outcome, pause=0)  # type: ignore[arg-type]
        await advance(book.store, 3600)
    status = (await book.standing("a")).failures_by_reason
    assert status == (("because.internal", 1), ("because.trouble", 2))


async def test_the_ledger_has_a_tag_of_its_own(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a")
    await book.reserve("2", "a")
    redis: Any = redis_client(book.store)
    names = {key.decode() for key in await redis.keys("*")} - {keys.run_key()}
    assert names == {
        keys.accounts_key(),
        keys.account_key("a"),
        keys.account_key("b"),
        keys.flight_key("a"),
        keys.spent_key("a"),
        keys.events_key(),
    }
    assert all(name.startswith(keys.prefix(keys.LEDGER)) for name in names)


async def test_what_nobody_asked_about_since_is_not_counted_as_of_today_or_in_flight(book: Book) -> None:
    await book.reserve("1", "a")
    await book.end("1", "a")
    await book.reserve("2", "a")
    await advance(book.store, DAY + 1)
    status = await book.standing("a")
    assert (status.turns_today, status.in_flight) == (0, 0)


async def test_each_change_of_state_has_a_number_of_its_own_that_grows(book: Book) -> None:
    numbers = [(await book.standing("a")).since]

    async def changed() -> bool:
        numbers.append((await book.standing("a")).since)
        return numbers[-1] > numbers[-2]

    await book.reserve("1", "a")
    await book.end("1", "a")
    assert not await changed()
    orders: list[Order] = ["pause", "resume"]
    for order in orders:
        await book.ledger.execute_order("a", order)
        assert await changed()
        await book.ledger.execute_order("a", order)
        assert not await changed()
    for job in ("2", "3"):
        await book.reserve(job, "a")
    change = await book.ledger.record("a", AccountSlot("2", 1, "w"), "cookie", "dead", sent=False, pause=0)
    assert await changed()
    assert change.since == numbers[-1]
    await book.end("3", "a", "dead")
    assert not await changed()
    await book.ledger.execute_order("a", "release")
    assert await changed()
    await book.reserve("4", "a")
    await book.end("4", "a")
    assert await changed()
    await book.ledger.execute_order("a", "reset")
    assert not await changed()
    await book.announce("a", "new cookie")
    assert not await changed()


async def test_a_change_has_a_greater_number_whatever_the_clock_says(book: Book) -> None:
    redis: Any = redis_client(book.store)
    ahead = (await book.standing("a")).since + 3600_000
    await redis.hset(keys.account_key("a"), "since", ahead)
    await book.ledger.execute_order("a", "pause")
    assert (await book.standing("a")).since == ahead + 1


async def test_a_pause_and_its_time_outlive_a_redis_that_lost_everything(book: Book) -> None:
    await book.ledger.execute_order("a", "pause")
    last = await book.standing("a")
    redis: Any = redis_client(book.store)
    await redis.flushall()
    await book.announce("a", last=last)
    status = await book.standing("a")
    assert (status.paused, status.since, status.display_state) == (True, last.since, "paused")


@pytest.fixture
async def watched(store: Store) -> Book:
    """Return a ledger with four accounts that are ready, and the entry for pictures of one of them."""
    book = Book(store)
    for name in ("a", "b", "c", "d", "a/images"):
        await book.announce(name)
    return book


async def news(book: Book) -> list[AccountAlert]:
    """All news of now."""
    alerts = []
    while alert := await book.ledger.take_alert(0.5, "/images"):
        alerts.append(alert)
    return alerts


async def fall(book: Book, *names: str, outcome: TurnOutcome = "quarantined", pause: float = 0.0) -> None:
    for name in names:
        await book.reserve(f"fall of {name}", name)
        await book.end(f"fall of {name}", name, outcome, pause)


async def test_what_waits_for_a_person_is_reported_once_with_each_change(watched: Book) -> None:
    assert await news(watched) == []
    await fall(watched, "a", "a/images")
    await fall(watched, "b", outcome="cooling", pause=60)
    quarantined = [AccountAlert(2, 4, ANY, name, "quarantined", "because.quarantined") for name in ("a", "a/images")]
    assert await news(watched) == quarantined
    await watched.ledger.execute_order("a", "release")
    assert await news(watched) == []
    await fall(watched, "a", outcome="dead")
    assert [(alert.account, alert.state) for alert in await news(watched)] == [("a", "dead")]
    assert await news(watched) == []


async def test_of_two_workers_that_look_at_once_one_gets_the_alert(watched: Book) -> None:
    await fall(watched, "a", "b", "c")
    both = await asyncio.gather(*(news(Book(watched.store)) for _ in range(2)))
    assert sorted(one.account or "" for sent in both for one in sent) == ["", "a", "b", "c"]


async def test_a_lack_of_ready_accounts_is_reported_when_it_comes_and_when_it_goes(watched: Book) -> None:
    await fall(watched, "a", "a/images", outcome="cooling", pause=50)
    await fall(watched, "b", outcome="cooling", pause=20)
    assert await news(watched) == []
    await fall(watched, "c", outcome="cooling", pause=90)
    until = (await watched.standing("b")).until
    assert await news(watched) == [AccountAlert(1, 4, until, few=True)]
    assert await news(watched) == []
    await watched.ledger.execute_order("d", "pause")
    await watched.ledger.execute_order("b", "reset")
    assert await news(watched) == []
    await watched.ledger.execute_order("c", "reset")
    assert await news(watched) == [AccountAlert(2, 3, ANY, few=False)]
    assert await news(watched) == []


async def test_accounts_that_no_worker_has_any_more_are_no_news(watched: Book) -> None:
    await fall(watched, "a", "b", "c")
    redis: Any = redis_client(watched.store)
    for name in ("a", "b", "c"):
        await redis.zincrby(keys.accounts_key(), -61_000, name)
    assert await news(watched) == []


async def test_without_any_account_there_is_no_lack_of_them_and_no_end_of_it(watched: Book) -> None:
    names = ("a", "b", "c", "d")
    for name in names:
        await watched.ledger.execute_order(name, "pause")
    assert await news(watched) == []
    for name in names:
        await watched.ledger.execute_order(name, "resume")
    await fall(watched, *names, outcome="cooling", pause=60)
    assert [alert.few for alert in await news(watched)] == [True]
    for name in names:
        await watched.ledger.execute_order(name, "pause")
    assert await news(watched) == []


async def test_an_alert_is_not_sent_again_after_redis_lost_everything(watched: Book) -> None:
    await fall(watched, "a")
    assert len(await news(watched)) == 1
    last = await watched.standing("a")
    redis: Any = redis_client(watched.store)
    await redis.flushall()
    await watched.announce("a", last=last)
    assert [alert.account for alert in await news(watched)] == [None]


async def test_an_export_that_is_handed_in_reaches_one_worker_once(store: Store) -> None:
    ledger = Ledger(store)
    assert await ledger.submit_export("alice", b"old")
    assert await ledger.submit_export("alice", b"\xffexport")
    exports = await asyncio.gather(*(Ledger(store).take_export() for _ in range(3)))
    assert [export for export in exports if export] == [("alice", b"\xffexport")]
    assert await redis_client(store).keys("*export*") == []


async def test_an_export_that_nobody_takes_is_gone_after_its_time(store: Store) -> None:
    ledger = Ledger(store)
    await ledger.submit_export("alice", b"export")
    key = keys.export_key("alice")
    assert 0 < await redis_client(store).pttl(key) <= 60_000
    assert 0 < await redis_client(store).pttl(keys.handed_in_key()) <= 60_000
    await redis_client(store).delete(key)
    await ledger.submit_export("bob", b"export")
    assert await ledger.take_export() == ("bob", b"export")
    assert await ledger.take_export() is None


async def test_only_so_many_exports_may_lie_there_and_none_that_is_too_large(store: Store) -> None:
    ledger = Ledger(store)
    assert [await ledger.submit_export(str(number), b"export") for number in range(17)] == [True] * 16 + [False]
    assert await ledger.submit_export("3", b"another")
    await redis_client(store).delete(keys.export_key("5"))
    assert await ledger.submit_export("16", b"export")
    with pytest.raises(ValueError, match="bytes at most"):
        await ledger.submit_export("17", bytes(1024 * 1024 + 1))


STEP = st.tuples(st.sampled_from(["reserve", "ok", "cooling", "trouble", "none", "lapse"]), st.integers(0, 5))


@given(st.lists(STEP, max_size=40), st.integers(1, 3))
@settings(max_examples=60)
@pytest.mark.anyio
async def test_no_order_of_events_exceeds_the_bound_or_asks_a_cooling_account(
    steps: list[tuple[str, int]], bound: int
) -> None:
    """Two workers race for the places of two accounts."""
    store = Store("memory://")
    book = Book(store)
    for name in ("a", "b"):
        await book.announce(name, turns=bound)
    held: dict[str, tuple[str, str]] = {}
    number = 0
    for action, pick in steps:
        if action == "reserve":
            number += 1
            before = {status.name: status for status in await book.ledger.read_statuses()}
            reserved = await book.reserve(str(number), worker=f"w{pick % 2}")
            if isinstance(reserved, str):
                held[str(number)] = (reserved, f"w{pick % 2}")
                if before[reserved].state == "cooling":
                    assert before[reserved].in_flight == 0
        elif action == "lapse":
            await advance(store, HOLD + 1)
            held.clear()
        elif held:
            job = sorted(held)[pick % len(held)]
            name, worker = held.pop(job)
            await book.end(job, name, action, pause=pick, worker=worker)  # type: ignore[arg-type]
        for status in await book.ledger.read_statuses():
            assert status.in_flight <= bound
    await store.close()


async def test_a_worker_that_has_not_seen_the_new_cookie_yet_changes_nothing(book: Book) -> None:
    await book.announce("a", worker="old")
    await book.announce("a", "new cookie", worker="new")
    await book.reserve("1", "a")
    await book.end("1", "a", "quarantined", print_="new cookie")
    assert not await book.announce("a", "cookie", worker="old")
    assert (await book.standing("a")).state == "quarantined"
    assert await book.announce("a", "a third cookie", worker="old")
    assert (await book.standing("a")).state == "ready"


async def test_a_worker_that_had_a_cookie_for_a_moment_goes_back_at_once(book: Book) -> None:
    """As with a file that was half-written, and is whole again."""
    offer = Offer(("m",))
    await book.announce("a", "cookie", offer=offer)
    for _ in range(2):
        await book.announce("a", "half", offer=Offer(()))
        await advance(book.store, 9)
    assert await book.announce("a", "cookie", offer=offer)
    table = await book.ledger.read_models()
    assert (table.find("m"), table.is_away(["m"])) == (("m",), False)
    await book.reserve("1", "a")
    assert await book.end("1", "a", "quarantined") == "quarantined"


async def test_whoever_has_seen_the_new_cookie_goes_back_and_who_lags_behind_does_not(book: Book) -> None:
    for worker in ("first", "second"):
        await book.announce("a", "new", worker=worker)
    assert await book.announce("a", "cookie", worker="second")
    await book.reserve("1", "a")
    await book.end("1", "a", "quarantined")
    assert not await book.announce("a", "new", worker="first")
    assert not await book.announce("a", "cookie", worker="first")
    assert (await book.standing("a")).state == "quarantined"
    # What it has seen of an earlier exchange doesn't count for the next one.
    assert await book.announce("a", "new", worker="first")
    assert not await book.announce("a", "cookie", worker="second")


async def test_an_old_cookie_returns_once_no_worker_has_the_new_one_any_more(book: Book) -> None:
    """As with a worker that starts anew, with the file from before. Until then it is another one's old file."""
    await book.announce("a", "new", worker="ended")
    await advance(book.store, 9)
    assert not await book.announce("a", "cookie", worker="begun")
    await book.announce("a", "new", worker="ended")
    await advance(book.store, 9)
    assert not await book.announce("a", "cookie", worker="begun")
    await advance(book.store, 2)
    assert await book.announce("a", "cookie", worker="begun")
    # Should the new one's worker only have been silent, it isn't kept out.
    assert await book.announce("a", "new", worker="ended")
    assert not await book.announce("a", "cookie", worker="begun")


COOKIES = ("one", "two", "three")


@given(st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from(COOKIES)), max_size=30), st.sampled_from(COOKIES))
@settings(max_examples=60)
@pytest.mark.anyio
async def test_whatever_workers_announce_one_that_they_agree_on_counts_at_once(
    steps: list[tuple[str, str]], last: str
) -> None:
    """Who hasn't announced the current cookie never brings the one before it back."""
    store = Store("memory://")
    book = Book(store)
    current, replaced, seen_by = "", "", set[str]()
    for worker, cookie in (*steps, *((worker, last) for worker in "uvw")):
        lags = cookie == replaced and worker not in seen_by
        changes = await book.announce("a", cookie, worker=worker) or not current
        assert changes == (cookie != current and not lags)
        if changes:
            current, replaced, seen_by = cookie, current, set()
        if cookie == current:
            seen_by.add(worker)
    assert current == last
    await store.close()


async def refuse(book: Book, job: str, reason: str = "account.blocked", print_: str = "cookie") -> AccountChange:
    assert await book.reserve(job, "a") == "a"
    slot = AccountSlot(job, 1, "w")
    return await book.ledger.record("a", slot, print_, "refused", reason, sent=True, pause=1.0)


async def test_an_account_that_is_refused_cools_for_seconds_and_longer_each_time(book: Book) -> None:
    pauses = []
    for job in range(6):
        assert (await refuse(book, str(job))).state == "cooling"
        capacity = await book.reserve("next", "a")
        assert isinstance(capacity, NoCapacity)
        pauses.append(round(capacity.returns / 1000))
        assert capacity.reason == "account.blocked"
        await advance(book.store, pauses[-1] + 0.1)
    assert pauses == [1, 2, 4, 8, 8, 8]


async def test_it_is_dead_only_when_the_same_refusal_repeats_over_minutes(book: Book) -> None:
    states = []
    for job in range(7):
        states.append((await refuse(book, str(job))).state)
        await advance(book.store, 31)
    assert states == ["cooling"] * 6 + ["dead"]


@pytest.mark.parametrize("between", ["a success", "another refusal", "a long time"])
async def test_a_series_of_refusals_ends_with(book: Book, between: str) -> None:
    for job in range(6):
        await refuse(book, str(job))
        await advance(book.store, 31)
    if between == "a success":
        assert await book.reserve("good", "a") == "a"
        await book.end("good", "a")
    elif between == "another refusal":
        await refuse(book, "other", reason="upstream.busy")
        await advance(book.store, 9)
    else:
        await advance(book.store, 61)
    assert (await refuse(book, "last")).state == "cooling"


async def test_a_dead_account_that_needs_no_person_is_tried_by_one_turn(book: Book) -> None:
    assert await book.reserve("1", "a") == "a"
    await book.end("1", "a", "dead", pause=15.0)
    capacity = await book.reserve("2", "a")
    assert isinstance(capacity, NoCapacity)
    assert 14_000 < capacity.returns <= 15_000
    await advance(book.store, 15.1)
    assert await book.reserve("3", "a") == "a"
    assert await book.reserve("4", "a") == NoCapacity(True, -1, "")
    assert await book.end("3", "a", "refused", pause=1.0) == "dead"
    capacity = await book.reserve("5", "a")
    assert isinstance(capacity, NoCapacity)
    assert 14_000 < capacity.returns <= 15_000
    await advance(book.store, 15.1)
    assert await book.reserve("6", "a") == "a"
    assert await book.end("6", "a") == "ready"
    assert (await book.standing("a")).reason == ""


async def test_a_turn_from_before_does_not_revive_an_account(book: Book) -> None:
    assert [await book.reserve(job, "a") for job in ("1", "2")] == ["a", "a"]
    await book.end("1", "a", "dead", pause=15.0)
    assert await book.end("2", "a") == "dead"


async def test_an_account_that_waits_for_a_person_is_never_tried(book: Book) -> None:
    assert await book.reserve("1", "a") == "a"
    await book.end("1", "a", "dead")
    await advance(book.store, DAY)
    assert await book.reserve("2", "a") == NoCapacity(False, -1, "")


async def test_a_trial_can_be_brought_forward_but_not_put_off(book: Book) -> None:
    assert await book.reserve("1", "a") == "a"
    await book.end("1", "a", "dead", pause=15.0)
    await book.ledger.schedule_trial("a", 60.0)
    capacity = await book.reserve("2", "a")
    assert isinstance(capacity, NoCapacity)
    assert capacity.returns <= 15_000
    await book.ledger.schedule_trial("a", 0.0)
    assert await book.reserve("3", "a") == "a"
    await book.ledger.schedule_trial("b", 0.0)
    assert (await book.standing("b")).state == "ready"


@pytest.mark.parametrize("undo", ["cookie", "reset", "release"])
async def test_a_released_account_begins_without_its_refusals(book: Book, undo: str) -> None:
    for job in range(7):
        await refuse(book, str(job))
        await advance(book.store, 31)
    assert (await book.standing("a")).state == "dead"
    if undo == "cookie":
        assert await book.announce("a", "another")
    else:
        await book.ledger.execute_order("a", "reset" if undo == "reset" else "release")
    again = await refuse(book, "again", print_="another" if undo == "cookie" else "cookie")
    assert again.state == "cooling"


async def doubt(book: Book, job: str, client: str) -> str:
    assert await book.reserve(job, "a") == "a"
    slot = AccountSlot(job, 1, "w")
    change = await book.ledger.record(
        "a", slot, "cookie", "doubted", "question.invalid", sent=True, pause=10.0, client=client
    )
    return change.state


async def test_invalid_questions_have_consequences_only_when_three_clients_got_them(book: Book) -> None:
    assert [await doubt(book, f"x{number}", "x") for number in range(5)] == ["ready"] * 5
    assert (await book.standing("a")).failures == 0
    assert await doubt(book, "y", "y") == "ready"
    assert await doubt(book, "z", "z") == "cooling"
    assert (await book.standing("a")).reason == "question.invalid"


async def test_invalid_questions_have_no_consequences_with_one_served_between(book: Book) -> None:
    for client in ("x", "y"):
        assert await doubt(book, client, client) == "ready"
    assert await book.reserve("good", "a") == "a"
    await book.end("good", "a")
    assert await doubt(book, "z", "z") == "ready"


async def test_models_and_aliases_are_announced_with_their_account(book: Book) -> None:
    offer = Offer(("m", "n"), abilities=("tools", "of-a-later-version"), aliases={"fast": ("m",)}, default="fast")
    await book.announce("a", provider="openai", offer=offer, version=7)
    await book.announce("a" + PICTURES)
    table = await book.ledger.read_models()
    assert [account.name for account in table.accounts] == ["a", "b"]
    assert (table.find("fast"), table.find("unknown"), table.find("n")) == (("m",), ("m",), ("n",))
    (account,) = table.accounts_for("n")
    assert (account.name, account.provider, set(account.abilities)) == ("a", "openai", {"tools"})
    assert [one.name for one in table.accounts_for("bing-balanced")] == ["a", "b"]


async def test_an_account_that_only_an_older_worker_still_announces_has_no_models(book: Book) -> None:
    await book.announce("a", offer=Offer(("m",)))
    await advance(book.store, 60)
    await book.announce("a")
    table = await book.ledger.read_models()
    assert table.find("m") == ()
    assert [one.name for one in table.accounts_for("bing-balanced")] == ["a"]


async def test_a_model_is_away_when_no_worker_has_it_and_unknown_after_a_day(book: Book) -> None:
    await book.announce("a", offer=Offer(("m",), aliases={"x": ("m",)}))
    assert not (await book.ledger.read_models()).is_away(["m"])
    await advance(book.store, 20)
    table = await book.ledger.read_models()
    assert table.find("x") == ("m",)
    assert table.is_away(["m"])
    await advance(book.store, DAY)
    assert (await book.ledger.read_models()).find("m") == ()


async def test_the_newest_file_counts_while_its_worker_is_there(book: Book) -> None:
    async def announce(worker: str, version: int, model: str) -> ModelTable:
        record = AccountRecord("a", "cookie", offer=Offer((model,)), version=version)
        await book.ledger.announce(record, AccountStatus("a"), worker)
        return await book.ledger.read_models()

    assert (await announce("new", 2, "two")).find("two")
    table = await announce("old", 1, "one")
    assert table.find("two")
    assert table.is_disputed
    # A worker may go back to an older file of its own at once, and others once it is gone.
    assert (await announce("new", 1, "one")).find("one")
    assert (await announce("new", 2, "two")).find("two")
    await advance(book.store, 12)
    assert (await announce("old", 1, "one")).find("one")


async def test_one_worker_asks_a_server_for_its_models_and_a_new_server_is_asked_anew(book: Book) -> None:
    await book.announce("a", offer=Offer(("m",), lists=True))
    assert [await book.ledger.claim_listing("a", worker) for worker in ("w", "v")] == [True, False]
    await book.ledger.keep_listed("a", ["n", "o"], 300.0)
    assert not await book.ledger.claim_listing("a", "v")
    assert [(await book.ledger.read_models()).find(name) for name in "mno"] == [("m",), ("n",), ("o",)]
    await book.announce("a", "another server", offer=Offer(("m",), lists=True))
    assert (await book.ledger.read_models()).find("n") == ()
    assert await book.ledger.claim_listing("a", "v")


class Crowd:
    """Reserves turns that prefer the account `a`."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.jobs = 0

    async def reserve(self, preferred: str = "a", *names: str, patient: bool = False) -> str | NoCapacity:
        self.jobs += 1
        ranks = dict.fromkeys(names or ("a", "b"), 0)
        slot = AccountSlot(str(self.jobs), 1, "w")
        return (await self.book.ledger.reserve(slot, ranks, HOLD, preferred=preferred, patient=patient)).outcome


async def test_the_preferred_account_is_taken_up_to_a_quarter_above_its_share(book: Book) -> None:
    crowd = Crowd(book)
    assert [await crowd.reserve() for _ in range(8)] == ["a", "a", "b", "a", "a", "b", "a", "b"]
    for _ in range(4):
        await crowd.reserve("b")
    assert await crowd.reserve() == "a"


async def test_a_share_follows_the_weights_and_leaves_out_who_is_away(book: Book) -> None:
    await book.announce("b", weight=3.0)
    crowd = Crowd(book)
    assert [await crowd.reserve("b") for _ in range(4)] == ["b"] * 4
    assert await book.end("1", "b", "quarantined") == "quarantined"
    assert [await crowd.reserve() for _ in range(4)] == ["a"] * 4
    assert await crowd.reserve("b") == "a"


async def test_a_preferred_account_without_room_is_waited_for_only_by_the_patient(book: Book) -> None:
    for name in ("a", "b"):
        await book.announce(name, turns=2)
    crowd = Crowd(book)
    assert [await crowd.reserve(), await crowd.reserve()] == ["a", "a"]
    # Its share is used up: nobody waits for it.
    assert await crowd.reserve(patient=True) == "b"
    assert await crowd.reserve(patient=True) == NoCapacity(True, -1, "")
    assert await crowd.reserve() == "b"


async def test_a_repeated_reservation_with_a_preference_is_the_same(book: Book) -> None:
    await book.reserve("1", "b")
    slot = AccountSlot("1", 1, "w")
    assert (await book.ledger.reserve(slot, {"a": 0, "b": 0}, HOLD, preferred="a")).account == "b"
    assert (await book.standing("a")).in_flight == 0


async def test_a_preference_for_an_account_that_is_not_asked_is_none(book: Book) -> None:
    assert await Crowd(book).reserve("c") == "a"


async def test_the_room_is_what_the_counted_accounts_can_still_take(book: Book) -> None:
    async def room(enough: int = 64) -> int | None:
        return await book.ledger.read_room(("a", "b"), enough)

    assert await room() == 64
    await book.announce("a", turns=3)
    await book.announce("b", turns=5, daily=4)
    assert (await room(), await room(6), await book.ledger.read_room(("a",), 64)) == (7, 6, 3)
    await book.reserve("1", "a")
    for job in ("2", "3"):
        await book.reserve(job, "b")
    await book.end("3", "b")
    assert await room() == 4
    await book.reserve("4", "a")
    await book.reserve("5", "a")
    assert await room() == 2
    await book.end("1", "a", "cooling", pause=50)
    assert await room() == 2
    await advance(book.store, 51)
    for job in ("4", "5"):
        await book.end(job, "a", "none")
    assert await room() == 3
    await book.reserve("trial", "a")
    assert await room() == 2


async def test_there_is_no_room_only_while_the_end_of_a_turn_makes_some(book: Book) -> None:
    async def room() -> int | None:
        return await book.ledger.read_room(("a", "b"), 64)

    await book.announce("a", turns=1)
    await book.reserve("1", "a")
    await book.reserve("2", "b")
    await book.end("2", "b", "cooling", pause=50)
    assert await room() == 0
    await book.end("1", "a", "quarantined")
    assert await room() is None
    assert await book.ledger.read_room((), 64) is None


async def wait_for_place(book: Book, job: str, waited: float) -> str | NoCapacity:
    """Let a turn that has looked for so many seconds look again for a place of `a`."""
    return (await book.ledger.reserve(AccountSlot(job, 1, "w"), {"a": 0}, HOLD, waited=waited)).outcome


async def test_a_turn_that_looks_again_is_not_overtaken_by_one_that_came_later(book: Book) -> None:
    """Another worker, which has heard of the end first, would otherwise get every place."""
    await book.announce("a", turns=1)
    assert await book.reserve("1", "a") == "a"
    assert isinstance(await wait_for_place(book, "2", 2.0), NoCapacity)
    await book.end("1", "a")
    assert await book.ledger.read_room(("a",), 64) == 0
    late = await book.reserve("3", "a")
    assert isinstance(late, NoCapacity)
    assert late.busy
    assert await wait_for_place(book, "2", 2.0) == "a"
    await book.end("2", "a")
    assert await book.reserve("3", "a") == "a"


async def test_a_turn_that_has_just_come_or_looks_no_more_is_overtaken(book: Book) -> None:
    await book.announce("a", turns=1)
    assert await book.reserve("1", "a") == "a"
    assert isinstance(await wait_for_place(book, "2", 0.5), NoCapacity)
    await book.end("1", "a")
    assert await book.reserve("3", "a") == "a"
    assert isinstance(await wait_for_place(book, "2", 10.0), NoCapacity)
    await book.end("3", "a")
    await advance(book.store, 1.5)
    assert await book.reserve("4", "a") == "a"


async def test_every_reply_to_a_reservation_has_the_room_after_it(book: Book) -> None:
    for name in ("a", "b"):
        await book.announce(name, turns=1)
    await book.announce("c", turns=2)

    async def room(job: str, *names: str, preferred: str = "", patient: bool = False) -> int | None:
        reply = await book.ledger.reserve(
            AccountSlot(job, 1, "w"),
            dict.fromkeys(names, 0),
            HOLD,
            preferred=preferred,
            patient=patient,
            counted=("a", "b", "c"),
            enough=64,
        )
        return reply.room

    assert [await room("1", "a", "b"), await room("1", "a", "b")] == [3, 3]
    assert await room("2", "b", "c", preferred="b") == 2
    assert await room("3", "b", "c", preferred="b", patient=True) == 2
    assert await room("3", "a", "b") == 2
    assert [await room("4", "c"), await room("5", "c"), await room("6", "c")] == [1, 0, 0]


async def test_without_a_daily_limit_ten_thousand_questions_are_counted(book: Book) -> None:
    now = await book.store.read_time(keys.LEDGER)
    asked = [part for number in range(10_100) for part in (str(now - number), f"{number}:1:w")]
    for name in ("a", "b"):
        await book.announce(name, daily=20_000)
        await book.store.execute("ZADD", keys.spent_key(name), *asked)
        await book.announce(name, daily=20_000 if name == "a" else 0)
    assert [(await book.standing(name)).turns_today for name in ("a", "b")] == [10_100, 10_000]
    oldest = await book.store.execute("ZRANGE", keys.spent_key("b"), 0, 0)
    assert oldest == [b"9999:1:w"]


class Sharing:
    """Clients whose turns two workers run at the accounts `a` and `b`."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.slots: dict[str, AccountSlot] = {}

    async def reserve(self, client: str, *names: str, weight: int = 1, waited: float = 0.0, job: str = "") -> str:
        """Return the account that a client's turn gets, else 'shared' or 'busy'."""
        job = job or f"job{len(self.slots)}"
        slot = self.slots[job] = AccountSlot(job, 1, f"w{len(self.slots) % 2}", client)
        ranks = dict.fromkeys(names or ("a", "b"), 0)
        reply = await self.book.ledger.reserve(slot, ranks, HOLD, client=client, weight=weight, waited=waited)
        return reply.account or ("shared" if reply.shared else "busy")

    async def end(self, job: str, name: str) -> None:
        await self.book.ledger.record(name, self.slots.pop(job), "cookie", "ok", sent=True, pause=0)


@pytest.fixture
async def sharing(book: Book) -> Sharing:
    for name in ("a", "b"):
        await book.announce(name, turns=4)
    return Sharing(book)


async def test_a_client_leaves_a_quarter_of_the_places_to_others_whoever_runs_its_turns(sharing: Sharing) -> None:
    places = [await sharing.reserve("big") for _ in range(8)]
    assert Counter(places) == {"a": 3, "b": 3, "shared": 2}
    assert await sharing.reserve("small") in ("a", "b")
    assert await sharing.reserve("big") == "shared"
    assert await sharing.reserve("other") in ("a", "b")
    assert await sharing.reserve("big") == "busy"


async def test_a_share_is_of_the_accounts_that_a_turn_may_have(sharing: Sharing) -> None:
    """Free places of other models are of no use to it."""
    assert [await sharing.reserve("big", "a") for _ in range(4)] == ["a", "a", "a", "shared"]
    assert await sharing.reserve("small", "a") == "a"
    assert await sharing.reserve("big") == "b"


async def test_a_client_of_more_weight_gets_more_of_the_places(sharing: Sharing) -> None:
    places = [await sharing.reserve("big", weight=2) for _ in range(8)]
    assert places.count("shared") == 1


async def test_turns_of_nobody_and_places_without_limit_are_not_shared_out(sharing: Sharing) -> None:
    assert "shared" not in [await sharing.reserve("") for _ in range(8)]
    await sharing.book.announce("c")
    assert {await sharing.reserve("big", "b", "c") for _ in range(40)} == {"c"}


async def test_who_has_its_share_is_overtaken_however_long_it_has_waited(sharing: Sharing) -> None:
    for _ in range(3):
        await sharing.reserve("big", "a")
    assert await sharing.reserve("small", "a", job="small") == "a"
    assert await sharing.reserve("big", "a", job="waits", waited=5.0) == "busy"
    await sharing.end("small", "a")
    assert await sharing.reserve("big", "a", job="waits", waited=5.1) == "shared"
    assert await sharing.reserve("small", "a") == "a"


@pytest.mark.parametrize("ranks", [{"a": 0, "b": 0}, {"a": 0, "b": 1}, {"a": 1, "b": 0}])
async def test_a_client_of_two_accounts_leaves_places_at_each(sharing: Sharing, ranks: dict[str, int]) -> None:
    """Others may have a model that only the smaller one has, whichever of them is asked first."""
    await sharing.book.announce("b", turns=16, weight=9.0)
    ledger, slots = sharing.book.ledger, [AccountSlot(f"job{number}", 1, "w", "big") for number in range(20)]
    replies = [await ledger.reserve(slot, ranks, HOLD, client="big") for slot in slots]
    assert Counter(reply.account for reply in replies) == {"a": 3, "b": 12, None: 5}
    assert all(reply.shared for reply in replies if reply.account is None)
    assert await sharing.reserve("small", "a") == "a"
    assert await sharing.reserve("big", "a") == "busy"


async def test_a_preferred_account_is_left_to_others_too(sharing: Sharing) -> None:
    await sharing.book.announce("b", turns=64)
    crowd = [AccountSlot(f"job{number}", 1, "w", "big") for number in range(8)]
    for slot in crowd:
        await sharing.book.ledger.reserve(slot, {"a": 0, "b": 0}, HOLD, client="big", preferred="a", patient=False)
    assert await sharing.reserve("small", "a") == "a"
