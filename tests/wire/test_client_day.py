"""How many questions a client may ask in a day."""

import asyncio

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.settings import GatewaySettings
from tests.support.wire.scenario import Asked, Scenario
from wire import keys
from wire.errors import ClientDailyError, ClientFullError, KeyReusedError, QueueFullError, TokenUnknownError
from wire.jobs import Client, IdempotencyKey, Jobs, new_answer_id, new_token
from wire.messages import Chat
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

DAY = 86400
ALICE, BOB = Client("key:alice", "alice", daily=2), Client("address:2")


@pytest.fixture
def scenario(store: Store) -> Scenario:
    return Scenario(store, GatewaySettings(client_daily=3))


async def left(scenario: Scenario) -> int:
    """Return the seconds that are left of Redis's day."""
    seconds, _ = await scenario.redis.time()
    return int(DAY - seconds % DAY)


async def counted(scenario: Scenario, client: Client) -> int:
    """Return how many questions count for the client's day."""
    return int(await scenario.redis.get(keys.day_key(client.name)) or 0)


async def ask(scenario: Scenario, client: Client) -> bool:
    """Ask one question; return whether it was accepted."""
    try:
        await scenario.ask(client=client)
    except ClientDailyError:
        return False
    return True


async def test_a_client_asks_so_many_in_a_day_and_then_reads_when_the_next_begins(scenario: Scenario) -> None:
    assert [await ask(scenario, ALICE) for _ in range(3)] == [True, True, False]
    before = await left(scenario)
    with pytest.raises(ClientDailyError) as refused:
        await scenario.ask(client=ALICE)
    assert before >= refused.value.retry_after >= await left(scenario)
    assert scenario.jobs.refusals == {"client.daily": 2}


async def test_without_a_number_of_its_own_a_client_has_the_common_one(scenario: Scenario) -> None:
    assert [await ask(scenario, BOB) for _ in range(4)] == [True, True, True, False]
    assert await ask(scenario, ALICE)


async def test_without_any_number_and_for_nobody_in_particular_nothing_is_counted(store: Store) -> None:
    without = Scenario(store)
    assert all([await ask(without, BOB) for _ in range(5)])
    assert all([await ask(Scenario(store, GatewaySettings(client_daily=1)), Client()) for _ in range(5)])
    assert await without.redis.keys(keys.day_key("*")) == []


async def test_the_count_ends_with_the_day_of_utc(scenario: Scenario) -> None:
    await scenario.ask(client=ALICE)
    before = await left(scenario)
    await scenario.ask(client=ALICE)
    milliseconds = await scenario.redis.pttl(keys.day_key(ALICE.name))
    assert (before + 1) * 1000 >= milliseconds > (await left(scenario) - 1) * 1000
    assert not await ask(scenario, ALICE)
    # What happens at midnight.
    await scenario.redis.pexpire(keys.day_key(ALICE.name), 0)
    assert await ask(scenario, ALICE)


async def test_what_is_refused_for_another_reason_is_not_counted(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(client_daily=10, client_limit=1, queue_limit=2))
    await scenario.ask(client=BOB)
    with pytest.raises(ClientFullError):
        await scenario.ask(client=BOB)
    with pytest.raises(TokenUnknownError):
        await scenario.ask("hi", new_token(), ALICE)
    await scenario.ask()
    with pytest.raises(QueueFullError):
        await scenario.ask(client=ALICE)
    assert (await counted(scenario, BOB), await counted(scenario, ALICE)) == (1, 0)


async def test_who_asked_all_of_a_day_reads_that_and_not_that_too_much_waits(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(client_daily=1, client_limit=1))
    await scenario.ask(client=BOB)
    with pytest.raises(ClientDailyError):
        await scenario.ask(client=BOB)


@pytest.mark.parametrize("kind", ["same job", "key", "attempt"])
async def test_a_question_that_is_sent_again_counts_once_and_is_never_refused(scenario: Scenario, kind: str) -> None:
    once = IdempotencyKey("name", "digest") if kind == "key" else None
    attempt = "attempt" if kind == "attempt" else ""

    async def again(first: Asked | None = None) -> Asked:
        if first is None or kind != "same job":
            return await scenario.ask(client=ALICE, once=once, attempt=attempt)
        work = Chat("balanced", "hello")
        answer = await scenario.jobs.submit(first.answer, work, first.token, create=False, client=ALICE)
        return Asked(answer, first.token)

    first = await again()
    assert [(await again(first)).answer for _ in range(3)] == [first.answer] * 3
    assert await counted(scenario, ALICE) == 1
    await scenario.ask(client=ALICE)
    assert not await ask(scenario, ALICE)
    assert (await again(first)).answer == first.answer
    if once:
        with pytest.raises(KeyReusedError):
            await scenario.ask(client=ALICE, once=IdempotencyKey(once.name, "another"))


@pytest.mark.parametrize("end", ["expire", "stop", "finish"])
async def test_whatever_comes_of_a_question_it_counts(scenario: Scenario, end: str) -> None:
    await scenario.hire("w1")
    answer = (await scenario.ask(client=ALICE)).answer
    match end:
        case "expire":
            await scenario.jobs.expire(answer)
        case "stop":
            await scenario.jobs.stop(answer, ALICE.holder)
        case _:
            await scenario.finish(await scenario.sent("w1"))
    assert await counted(scenario, ALICE) == 1


async def test_gateways_count_together_also_at_the_same_time(store: Store) -> None:
    gateways = [Scenario(store, GatewaySettings(client_daily=7)) for _ in range(2)]
    accepted = await asyncio.gather(*(ask(gateways[number % 2], BOB) for number in range(20)))
    assert sum(accepted) == 7
    assert await counted(gateways[0], BOB) == 7


# Which of a client's questions is asked, in which way it can be known again, and at which of two gateways.
QUESTIONS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["job", "key", "attempt"]), st.booleans()))


async def submit(jobs: Jobs, client: Client, kind: str, job: tuple[str, str]) -> bool:
    """Ask a question, maybe again; return whether it was accepted, now or before."""
    (answer, token), name = job, f"{client.name}-{job[0]}"
    once = IdempotencyKey(name, "digest") if kind == "key" else None
    work, attempt = Chat("balanced", "hello"), name if kind == "attempt" else ""
    answer = answer if kind == "job" else new_answer_id()
    try:
        await jobs.submit(answer, work, token, create=True, client=client, once=once, attempt=attempt)
    except ClientDailyError:
        return False
    return True


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 8), QUESTIONS)
async def test_whatever_is_sent_again_each_question_counts_once_within_the_limit(
    store: Store, daily: int, questions: list[tuple[int, str, bool]]
) -> None:
    limits = GatewaySettings(queue_limit=10**6, mailbox_limit=10**6, client_limit=10**6)
    gateways, client = [Scenario(store, limits) for _ in range(2)], Client(new_token(), daily=daily)
    jobs: dict[tuple[int, str], tuple[str, str]] = {}
    accepted: set[tuple[int, str]] = set()
    for number, kind, other in questions:
        job = jobs.setdefault((number, kind), (new_answer_id(), new_token()))
        if await submit(gateways[other].jobs, client, kind, job):
            accepted.add((number, kind))
        assert (number, kind) in accepted or len(accepted) == daily
        assert await counted(gateways[0], client) == len(accepted) <= daily
