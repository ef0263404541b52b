"""What a failure speaks against: one client's questions can't take an account from the others."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.redis_client import redis_client
from tests.support.wire.ledger_clock import advance
from tests.support.wire.scenario import RepeatingStore
from wire import keys
from wire.ledger import AccountRecord, AccountSlot, AccountStatus, Ledger, NoCapacity, TurnOutcome
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

BY_QUESTION: list[TurnOutcome] = ["trouble", "internal", "refused"]
HOUR = 3600.0


class Desk:
    """A ledger with the accounts `a` and `b`, and clients whose questions fail or succeed there."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ledger = Ledger(store)
        self.turns = 0

    async def announce(self, print_: str = "cookie") -> None:
        for name in ("a", "b"):
            await self.ledger.announce(AccountRecord(name, print_), AccountStatus(name))

    async def reserve(self, client: str, *names: str, avoids: bool = False, preferred: str = "") -> str | NoCapacity:
        self.turns += 1
        ranks = {name: rank for rank, name in enumerate(names)} or {"a": 0, "b": 0}
        reply = await self.ledger.reserve(self.slot, ranks, 300.0, client=client, avoids=avoids, preferred=preferred)
        return reply.outcome

    @property
    def slot(self) -> AccountSlot:
        return AccountSlot(str(self.turns), 1, "w")

    async def end(self, name: str, outcome: TurnOutcome, client: str = "", reason: str = "why") -> str:
        """End the turn that was reserved last; return the account's state."""
        change = await self.ledger.record(
            name, self.slot, "cookie", outcome, reason, sent=True, pause=1.0, client=client
        )
        return change.state

    async def fail(self, client: str, outcome: TurnOutcome = "trouble", reason: str = "why") -> str:
        """Let a question of the client fail at `a`; return the account's state."""
        assert await self.reserve(client, "a") == "a"
        return await self.end("a", outcome, client, reason)

    async def succeed(self, client: str) -> str:
        assert await self.reserve(client, "a") == "a"
        return await self.end("a", "ok")

    async def pause(self) -> float:
        """Return for how many seconds `a` pauses, and let them pass."""
        waiting = await self.reserve("anybody", "a")
        if isinstance(waiting, str):
            await self.end(waiting, "none")
            return 0.0
        assert waiting.returns >= 0
        await advance(self.store, waiting.returns / 1000 + 0.1)
        return round(waiting.returns / 1000)

    async def standing(self) -> AccountStatus:
        return next(status for status in await self.ledger.read_statuses() if status.name == "a")


@pytest.fixture(params=[Store, RepeatingStore])
async def desk(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Desk]:
    store = request.param(store_url)
    desk = Desk(store)
    await desk.announce()
    yield desk
    await store.close()


@pytest.mark.parametrize("outcome", [*BY_QUESTION, "doubted"])
async def test_one_clients_failures_never_take_an_account_out_of_use(desk: Desk, outcome: TurnOutcome) -> None:
    assert [await desk.fail("x", outcome) for _ in range(12)] == ["ready"] * 12
    status = await desk.standing()
    assert (status.failures, status.failed, status.failures_by_reason) == (0, 0, ())


@pytest.mark.parametrize("outcome", BY_QUESTION)
async def test_the_same_failure_of_a_second_client_does(desk: Desk, outcome: TurnOutcome) -> None:
    assert [await desk.fail("x", outcome), await desk.fail("y", outcome)] == ["ready", "cooling"]
    status = await desk.standing()
    assert (status.failures, status.reason, status.failures_by_reason) == (1, "why", (("why", 1),))


async def test_other_failures_of_a_second_client_do_not(desk: Desk) -> None:
    assert [await desk.fail("x"), await desk.fail("y", reason="another")] == ["ready", "ready"]
    assert await desk.fail("z", reason="another") == "cooling"


async def test_a_success_of_any_client_ends_the_row(desk: Desk) -> None:
    await desk.fail("x")
    assert await desk.succeed("z") == "ready"
    assert [await desk.fail("y"), await desk.fail("x")] == ["ready", "cooling"]
    assert await desk.pause() == 1
    assert await desk.succeed("z") == "ready"
    assert await redis_client(desk.store).exists(keys.blame_key("a")) == 0


async def test_each_client_counts_once_in_a_row_and_others_decide(desk: Desk) -> None:
    pauses = []
    for client in ("x", "y", "x", "x", "y", "z", "x", "v"):
        await desk.fail(client)
        pauses.append(await desk.pause())
    assert pauses == [0, 1, 2, 0, 0, 4, 0, 8]


async def test_what_fails_together_is_one_failure_and_uses_up_nobodys(desk: Desk) -> None:
    slots = []
    for client in ("x", "y", "z"):
        await desk.reserve(client, "a")
        slots.append((desk.slot, client))
    for slot, client in slots:
        await desk.ledger.record("a", slot, "cookie", "trouble", "why", sent=True, pause=1.0, client=client)
    assert (await desk.standing()).failures == 1
    assert await desk.pause() == 1
    await desk.fail("z")
    assert await desk.pause() == 2


async def test_failures_of_very_long_questions_count_nowhere(desk: Desk) -> None:
    for client in ("x", "y", "z"):
        assert await desk.fail(client, "noted") == "ready"
    assert [await desk.fail("v"), (await desk.standing()).failures] == ["ready", 0]
    # Nor does one beside another client's short question.
    assert await desk.fail("x", "noted") == "ready"
    assert await desk.reserve("x") == "b"


async def test_invalid_questions_have_consequences_only_when_three_clients_got_them(desk: Desk) -> None:
    states = [await desk.fail(client, "doubted") for client in ("x", "x", "x", "y", "z")]
    assert states == ["ready"] * 4 + ["cooling"]


async def test_what_is_the_accounts_own_counts_at_once(desk: Desk) -> None:
    assert await desk.reserve("x", "a") == "a"
    assert await desk.end("a", "trouble") == "cooling"


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
async def test_where_its_question_failed_a_client_is_asked_last(desk: Desk, names: tuple[str, str]) -> None:
    await desk.fail("x")
    assert [await desk.reserve("x", *names), await desk.reserve("x", "a")] == ["b", "a"]
    assert await desk.reserve("x", "a", "b", preferred="a") == "b"
    # The others notice nothing of it.
    assert await desk.reserve("y", *names) == names[0]
    assert await desk.reserve("y", "b", "a", preferred="a") == "a"


async def test_it_is_asked_there_again_after_a_minute_and_later_each_time(desk: Desk) -> None:
    for minutes in (1, 2, 4):
        for _ in range(3):
            await desk.fail("x")
        await advance(desk.store, 60 * minutes - 5)
        assert await desk.reserve("x", "a", "b") == "b"
        await advance(desk.store, 10)
        assert await desk.reserve("x", "a", "b") == "a"
    for _ in range(12):
        await desk.fail("x")
        await advance(desk.store, HOUR)
    assert await desk.reserve("x", "a", "b") == "a"


async def test_a_client_that_avoids_such_accounts_gets_none_of_them(desk: Desk) -> None:
    await desk.fail("x")
    assert await desk.reserve("x", "a", avoids=True) == NoCapacity(False, -1, "")
    assert await desk.reserve("x", "a", avoids=False) == "a"
    assert await desk.reserve("y", "a", avoids=True) == "a"


async def test_beside_the_trial_of_a_client_that_failed_another_gets_one(desk: Desk) -> None:
    await desk.fail("x")
    await desk.fail("y")
    await desk.pause()
    assert await desk.reserve("x", "a") == "a"
    assert await desk.reserve("y", "a") == NoCapacity(True, -1, "")
    assert await desk.reserve("z", "a") == "a"
    assert await desk.reserve("v", "a") == NoCapacity(True, -1, "")


@pytest.mark.parametrize("undo", ["cookie", "reset", "release"])
async def test_an_account_that_is_begun_anew_has_an_empty_row(desk: Desk, undo: str) -> None:
    await desk.fail("x")
    await desk.fail("y")
    if undo == "cookie":
        await desk.announce("another")
        await desk.announce("cookie")
    else:
        await desk.ledger.execute_order("a", "reset" if undo == "reset" else "release")
    assert await redis_client(desk.store).exists(keys.blame_key("a")) == 0


async def test_no_more_than_so_many_clients_are_kept_and_the_oldest_goes_first(desk: Desk) -> None:
    for number in range(70):
        await desk.fail(f"c{number}", "noted")
        await advance(desk.store, 0.1)
    clients = await redis_client(desk.store).hkeys(keys.blame_key("a"))
    assert sorted(clients) == sorted(f"c{number}".encode() for number in range(6, 70))
    assert 0 < await redis_client(desk.store).pttl(keys.blame_key("a")) <= 2 * HOUR * 1000


FAILURES = st.tuples(
    st.sampled_from([*BY_QUESTION, "doubted", "noted"]), st.sampled_from(["one", "another"]), st.integers(0, 100)
)


@given(st.lists(FAILURES, max_size=30))
@settings(max_examples=50)
@pytest.mark.anyio
async def test_no_series_of_one_clients_failures_changes_what_others_get(
    failures: list[tuple[TurnOutcome, str, int]],
) -> None:
    store = Store("memory://")
    desk = Desk(store)
    await desk.announce()
    for outcome, reason, seconds in failures:
        assert await desk.fail("x", outcome, reason) == "ready"
        await advance(store, seconds)
        assert await desk.reserve("y", "a", "b") == "a"
        await desk.end("a", "none")
    assert (await desk.standing()).failures == 0
    await store.close()
