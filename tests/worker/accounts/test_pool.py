"""A worker's places in its accounts."""

import asyncio
import math
from functools import partial

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.ledger_clock import advance
from tests.support.worker.harness import ACCOUNTS, Away, Held, HookedStore, pool_on, settings_with
from wire.ledger import AccountSlot, Ledger, Order
from worker.accounts.account import CookieAccount
from worker.accounts.penalties import NO_PENALTY, SUCCESS, Penalty
from worker.accounts.pool import AccountPool
from worker.accounts.reservation import NoAccountError, Reservation, ReservationRequest
from worker.providers import require_cookies

pytestmark = pytest.mark.anyio

BOTH = ReservationRequest(["a", "b"])
SOON = 5.0


def place(answer: str, worker: str = "desk") -> AccountSlot:
    return AccountSlot(answer, 1, worker)


def soon() -> float:
    return asyncio.get_running_loop().time() + SOON


@pytest.fixture
async def pool(store: HookedStore) -> AccountPool:
    pool = pool_on(store, settings_with(account_turns=1))
    await pool.announce()
    return pool


async def test_an_account_is_found_by_its_name(store: HookedStore) -> None:
    pool = pool_on(store, settings_with())
    assert pool.get("b") is ACCOUNTS[1]
    assert pool.get("c") is None
    assert (len(pool), pool.names(pictures=False)) == (2, ["a", "b"])


async def test_a_full_account_is_waited_for(pool: AccountPool) -> None:
    first = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    waiting = asyncio.create_task(pool.reserve(place("two"), ReservationRequest(["a"]), soon()))
    await asyncio.sleep(0)
    assert (await pool.reserve(place("three"), BOTH, soon())).account.name == "b"
    assert not waiting.done()
    await first.release(SUCCESS, sent=True)
    assert (await waiting).account.name == "a"


async def test_a_full_account_is_not_waited_for_longer_than_allowed(pool: AccountPool) -> None:
    await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    with pytest.raises(NoAccountError):
        await pool.reserve(place("two"), ReservationRequest(["a"]), asyncio.get_running_loop().time() + 0.1)


async def test_the_first_account_to_return_is_reported(pool: AccountPool) -> None:
    for name, pause in (("a", 50.0), ("b", 20.0)):
        reservation = await pool.reserve(place(name), ReservationRequest([name]), soon())
        await reservation.release(Penalty("cooling", "account.throttled", pause), sent=True)
    with pytest.raises(NoAccountError) as refusal:
        await pool.reserve(place("three"), ReservationRequest(["a"]), soon())
    assert refusal.value.returns is not None
    assert 15 < refusal.value.returns <= 20
    assert refusal.value.reason == "account.throttled"


async def test_who_would_rather_wait_gets_the_account_that_returns(pool: AccountPool) -> None:
    for name, pause in (("a", 50.0), ("b", 0.3)):
        reservation = await pool.reserve(place(name), ReservationRequest([name]), soon())
        await reservation.release(Penalty("cooling", "account.throttled", pause), sent=True)
    with pytest.raises(NoAccountError):
        await pool.reserve(place("three"), BOTH, soon())
    assert (await pool.reserve(place("four"), ReservationRequest(["a", "b"], wait=10), soon())).account.name == "b"


async def test_pictures_have_places_of_their_own(pool: AccountPool) -> None:
    seats = [
        await pool.reserve(place(str(kind)), ReservationRequest(["a"], pictures=kind), soon()) for kind in (False, True)
    ]
    assert [reservation.account.name for reservation in seats] == ["a", "a"]
    await seats[1].release(Penalty("cooling", "account.throttled", 60), sent=True)
    with pytest.raises(NoAccountError):
        await pool.reserve(place("more"), ReservationRequest(["a"], pictures=True), soon())
    await seats[0].release(SUCCESS, sent=True)
    assert (await pool.reserve(place("chat"), ReservationRequest(["a"]), soon())).account.name == "a"


async def test_a_change_of_state_is_logged_without_any_secret(pool: AccountPool) -> None:
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    with capture_logs() as logs:
        await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
    assert [(line["event"], line["account"], line["state"]) for line in logs] == [
        ("account changed", "a", "quarantined")
    ]


def changes(logs: list[EventDict]) -> list[tuple[str, str, str, str]]:
    return [
        (line["account"], line["before"], line["state"], line["reason"])
        for line in logs
        if line["event"] == "account changed"
    ]


async def test_each_change_is_logged_once_by_every_worker(store: HookedStore, pool: AccountPool) -> None:
    other = pool_on(store, settings_with(), worker="other")
    await other.refresh()
    await pool.refresh()
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    with capture_logs() as own:
        await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
        await pool.refresh()
    with capture_logs() as others:
        await other.refresh()
        await other.refresh()
    assert changes(own) == changes(others) == [("a", "ready", "quarantined", "account.captcha")]


@pytest.mark.parametrize(
    ("order", "before", "after"),
    [
        ("pause", "quarantined", "paused"),
        ("release", "quarantined", "cooling"),
        ("reset", "quarantined", "ready"),
        ("resume", "paused", "quarantined"),
    ],
)
async def test_an_operators_order_shows_in_the_log(pool: AccountPool, order: Order, before: str, after: str) -> None:
    ledger = Ledger(pool._ledger._store)
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
    if before == "paused":
        await ledger.execute_order("a", "pause")
    await pool.refresh()
    await ledger.execute_order("a", order)
    with capture_logs() as logs:
        await pool.refresh()
    assert [change[:3] for change in changes(logs)] == [("a", before, after)]


async def test_a_new_cookie_shows_in_the_log_of_every_worker(store: HookedStore, pool: AccountPool) -> None:
    other = pool_on(store, settings_with(), worker="other")
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("dead", "account.unauthorized"), sent=False)
    await other.refresh()
    with capture_logs() as own:
        await pool.replace([CookieAccount("a", {"_U": "new"}), ACCOUNTS[1]])
    with capture_logs() as others:
        await other.refresh()
    event = "account has a new cookie, ready again"
    assert [(line["event"], line["account"]) for line in own] == [(event, "a"), (event, "a/images")]
    assert changes(others) == [("a", "dead", "ready", "")]


async def test_a_key_that_comes_back_counts_at_once(store: HookedStore, pool: AccountPool) -> None:
    await pool.replace([CookieAccount("a", {"_U": "half"}), ACCOUNTS[1]])
    await pool.replace(ACCOUNTS)
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
    await pool.refresh()
    assert pool.statuses["a"].state == "quarantined"


async def test_an_announcement_from_before_a_change_never_follows_it(store: HookedStore, pool: AccountPool) -> None:
    held = Held()
    store.before["announce"] = held
    before = asyncio.create_task(pool.announce())
    await held.waiting.wait()
    del store.before["announce"]
    change = asyncio.create_task(pool.replace([CookieAccount("a", {"_U": "new"}), ACCOUNTS[1]]))
    await until(lambda: pool.get("a") is not ACCOUNTS[0])
    for _ in range(10):  # calls enough for the change to be announced, if it didn't wait
        await pool.refresh()
    held.go.set()
    await asyncio.gather(before, change)
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
    await pool.refresh()
    assert pool.statuses["a"].state == "quarantined"


async def test_what_a_worker_finds_when_it_starts_is_no_change(store: HookedStore, pool: AccountPool) -> None:
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
    with capture_logs() as logs:
        await pool_on(store, settings_with(), worker="new").refresh()
    assert logs == []


async def test_a_new_cookie_makes_the_account_ready_again(pool: AccountPool) -> None:
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("dead", "account.unauthorized"), sent=False)
    await pool.replace([CookieAccount("a", {"_U": "new"}), ACCOUNTS[1]])
    reservation = await pool.reserve(place("two"), ReservationRequest(["a"]), soon())
    assert require_cookies(reservation.account).cookies == {"_U": "new"}


async def test_an_account_that_is_gone_gets_no_more_turns(pool: AccountPool) -> None:
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await pool.replace(ACCOUNTS[1:])
    assert pool.get("a") is None
    with pytest.raises(NoAccountError):
        await pool.reserve(place("two"), ReservationRequest(["a"]), soon())
    await reservation.release(SUCCESS, sent=True)


async def test_a_ledger_that_redis_lost_is_made_again_as_it_was(store: HookedStore, pool: AccountPool) -> None:
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(Penalty("quarantined", "account.captcha"), sent=True)
    keeping = asyncio.create_task(pool.run())
    ledger = Ledger(store)
    await until(lambda: bool(pool.statuses))
    keeping.cancel()
    await redis_client(store).flushall()
    await pool.announce()
    standings = {status.name: status for status in await ledger.read_statuses()}
    assert (standings["a"].state, standings["a"].turns_today) == ("quarantined", 1)
    assert standings["b"].state == "ready"


async def test_what_the_ledger_could_not_record_at_once_is_recorded_again(
    store: HookedStore, pool: AccountPool
) -> None:
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    store.before["record"] = Away(2)
    reservation.release_soon(NO_PENALTY, sent=True)
    await pool.close(SOON)
    (status,) = [status for status in await Ledger(store).read_statuses() if status.name == "a"]
    assert (status.in_flight, status.turns_today) == (0, 1)


async def test_the_places_of_a_dead_worker_are_free(store: HookedStore, pool: AccountPool) -> None:
    dead = pool_on(store, settings_with(account_turns=1), worker="dead")
    await dead.reserve(place("one", "dead"), ReservationRequest(["a"]), soon())
    await pool.free_slots("dead")
    assert (await pool.reserve(place("two"), ReservationRequest(["a"]), soon())).account.name == "a"


async def test_an_account_that_goes_while_its_place_is_taken_still_has_the_turn(
    store: HookedStore, pool: AccountPool
) -> None:
    async def take_away() -> None:
        del store.after["reserve"]
        await pool.replace(ACCOUNTS[1:])

    store.after["reserve"] = take_away
    reservation = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await reservation.release(SUCCESS, sent=True)
    assert all(status.in_flight == 0 for status in await Ledger(store).read_statuses())


async def test_a_turn_that_ends_while_it_takes_a_place_leaves_none(store: HookedStore, pool: AccountPool) -> None:
    held = Held()
    store.after["reserve"] = held
    taking = asyncio.create_task(pool.reserve(place("one"), ReservationRequest(["a"]), soon()))
    await held.waiting.wait()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await pool.close(SOON)
    (status,) = [status for status in await Ledger(store).read_statuses() if status.name == "a"]
    assert (status.in_flight, status.turns_today) == (0, 0)


async def test_three_quarters_of_the_slots_stay_for_those_that_need_not_wait(store: HookedStore) -> None:
    pool = pool_on(store, settings_with(worker_slots=12))
    await pool.announce()
    for name in ("a", "b"):
        reservation = await pool.reserve(place(name), ReservationRequest([name]), soon())
        await reservation.release(Penalty("cooling", "account.throttled", 30), sent=True)
    far = asyncio.get_running_loop().time() + 100

    async def wait_for_return(client: str, number: int) -> Reservation:
        request = ReservationRequest(["a", "b"], wait=100, client=client)
        return await pool.reserve(place(f"{client}{number}"), request, far)

    store.tried.clear()
    waiting = [asyncio.create_task(wait_for_return(client, n)) for n, client in enumerate("xxy")]
    await until(lambda: store.calls.count("reserve") == 5)
    for client in "xz":
        with pytest.raises(NoAccountError):
            await wait_for_return(client, 3)
    assert pool.room == math.inf
    await end_all(waiting)


async def end_all(tasks: list[asyncio.Task[Reservation]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def in_flight(store: HookedStore) -> dict[str, int]:
    return {status.name: status.in_flight for status in await Ledger(store).read_statuses() if status.in_flight}


async def test_forty_turns_that_wait_cost_the_ledger_no_more_than_one(store: HookedStore, pool: AccountPool) -> None:
    reserve = partial(pool.reserve, request=BOTH, until=asyncio.get_running_loop().time() + 100)
    for name in ("one", "two"):
        await reserve(place(name))
    began, waiting = asyncio.get_running_loop().time(), [asyncio.create_task(reserve(place("first")))]
    await until(lambda: store.tried["reserve"] == 4)
    waiting += [asyncio.create_task(reserve(place(f"w{number}"))) for number in range(40)]
    await until(lambda: store.tried["reserve"] == 8)
    assert asyncio.get_running_loop().time() - began > 5 * 0.24
    assert pool.room == 0
    await end_all(waiting)
    await pool.close(SOON)
    assert await in_flight(store) == {"a": 1, "b": 1}


async def test_who_waits_first_is_served_first_when_turns_end(store: HookedStore, pool: AccountPool) -> None:
    running = await pool.reserve(place("held"), ReservationRequest(["a"]), soon())
    served: list[int] = []
    # Nobody asks again but for the end of a turn.
    pool._turns.pause = SOON * 20

    async def take(number: int) -> Reservation:
        reservation = await pool.reserve(place(str(number)), ReservationRequest(["a"]), soon())
        served.append(number)
        return reservation

    waiting = [asyncio.create_task(take(0))]
    await until(lambda: store.calls.count("reserve") >= 2)
    waiting += [asyncio.create_task(take(number)) for number in range(1, 6)]
    for turn in waiting:
        await running.release(SUCCESS, sent=True)
        running = await turn
    assert served == [0, 1, 2, 3, 4, 5]


async def test_the_pool_knows_the_room_at_its_accounts(store: HookedStore, pool: AccountPool) -> None:
    heard: list[float] = []
    assert pool.room == math.inf
    first = await pool.reserve(place("one"), BOTH, soon())
    assert pool.room == 1
    pool.on_room = lambda: heard.append(pool.room)
    second = await pool.reserve(place("two"), BOTH, soon())
    assert (pool.room, heard) == (0, [])
    await first.release(SUCCESS, sent=True)
    assert (pool.room, heard) == (1, [1])
    await pool.reserve(place("three"), BOTH, soon())
    await second.release(Penalty("cooling", "account.throttled", 60), sent=True)
    assert (pool.room, heard) == (0, [1])


async def test_turns_that_would_be_refused_at_once_are_taken(pool: AccountPool) -> None:
    for name in ("a", "b"):
        reservation = await pool.reserve(place(name), ReservationRequest([name]), soon())
        await reservation.release(Penalty("cooling", "account.throttled", 60), sent=True)
    with pytest.raises(NoAccountError):
        await pool.reserve(place("more"), BOTH, soon())
    assert pool.room == math.inf


@pytest.mark.parametrize("wanted", [True, False])
async def test_room_that_another_worker_frees_is_seen(store: HookedStore, pool: AccountPool, wanted: bool) -> None:
    """By a look at the ledger if there is work, and by the next refresh anyway."""
    pool = pool_on(store, settings_with(account_turns=1), refresh_every=SOON * 20 if wanted else 0.01)
    other = pool_on(store, settings_with(account_turns=1), worker="other")
    held = [await other.reserve(place(name, "other"), BOTH, soon()) for name in ("one", "two")]
    running = asyncio.create_task(pool.run())
    await until(lambda: pool.room == 0)
    heard = asyncio.Event()
    pool.on_room = heard.set
    if wanted:
        pool.want_room()
    await held[0].release(SUCCESS, sent=True)
    await asyncio.wait_for(heard.wait(), SOON)
    assert pool.room == 1
    running.cancel()


async def test_a_reply_that_was_lost_costs_no_room(store: HookedStore, pool: AccountPool) -> None:
    store.after["reserve"] = Away(1)
    await pool.reserve(place("one"), BOTH, soon())
    assert pool.room == 1
    assert await in_flight(store) == {"a": 1}


async def test_a_turn_that_waits_while_its_account_changes_gets_it_as_it_is_then(
    store: HookedStore, pool: AccountPool
) -> None:
    held = await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    waiting = asyncio.create_task(pool.reserve(place("two"), ReservationRequest(["a"]), soon()))
    await until(lambda: store.calls.count("reserve") >= 2)
    await pool.replace([CookieAccount("a", {"_U": "new"}), ACCOUNTS[1]])
    await held.release(SUCCESS, sent=True)
    assert require_cookies((await waiting).account).cookies == {"_U": "new"}


async def test_a_turn_that_waits_for_an_account_that_goes_is_refused(store: HookedStore, pool: AccountPool) -> None:
    await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    waiting = asyncio.create_task(pool.reserve(place("two"), ReservationRequest(["a"]), soon()))
    await until(lambda: store.calls.count("reserve") >= 2)
    await pool.replace(ACCOUNTS[1:])
    with pytest.raises(NoAccountError):
        await waiting


async def test_a_place_is_held_for_as_long_as_its_answer_may_take(store: HookedStore) -> None:
    accounts = [CookieAccount("a", {"_U": "a"}), CookieAccount("b", {"_U": "b"}, answer_timeout=1200)]
    pool = pool_on(store, settings_with(account_turns=1), accounts)
    await pool.announce()
    await pool.reserve(place("one"), ReservationRequest(["a"]), soon())
    await pool.reserve(place("two"), ReservationRequest(["b"]), soon())
    await advance(store, 20 + 61)
    await pool.reserve(place("three"), ReservationRequest(["a"]), soon())
    with pytest.raises(NoAccountError):
        await pool.reserve(place("four"), ReservationRequest(["b"]), asyncio.get_running_loop().time())
    await advance(store, 1200)
    await pool.reserve(place("four"), ReservationRequest(["b"]), soon())


def test_the_longest_answer_is_that_of_any_account(store_url: str) -> None:
    settings = settings_with()
    longest = [CookieAccount("a", {"_U": "a"}), CookieAccount("b", {"_U": "b"}, answer_timeout=1200)]
    assert pool_on(HookedStore(store_url), settings, longest).longest_answer(settings) == 1200
    assert pool_on(HookedStore(store_url), settings, []).longest_answer(settings) == 20
