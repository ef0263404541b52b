"""Turns go round by client, each is handed out once, and none is lost."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.wire.scenario import Asked, ForgetfulStore, RepeatingStore, Scenario
from wire import keys
from wire.errors import StoreUnavailableError
from wire.jobs import Client
from wire.messages import Chat
from wire.redis.store import Store
from wire.sessions import Turns

pytestmark = pytest.mark.anyio

A, B, C = Client("key:a", "a"), Client("address:b"), Client("address:c")


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire("w1", "w2", may_judge=True)
    yield scenario
    await store.close()


async def ask(scenario: Scenario, *clients: Client) -> list[str]:
    """Ask a question of each of these clients, in new conversations; return the answers."""
    return [(await scenario.ask(client=client)).answer for client in clients]


def answers_of(turns: Turns) -> list[str]:
    return [job.answer for job, _ in turns.jobs]


def clients_of(turns: Turns) -> list[Client]:
    by_name = {client.name: client for client in (A, B, C)}
    return [replace(by_name[job.client], weight=1) for job, _ in turns.jobs]


async def enter_at(scenario: Scenario, question: Asked, at: int, client: str = "") -> None:
    """Let the only token in its client's line have entered it at that time (ms)."""
    line = keys.line_key(client)
    assert await scenario.redis.xlen(line) == 1
    await scenario.redis.delete(line)
    entry = await scenario.redis.xadd(line, {"t": question.token}, id=f"{at}-1")
    await scenario.redis.hset(keys.token_key(question.token), "entry", entry)


async def now(scenario: Scenario) -> int:
    """Return Redis's time in ms."""
    seconds, micros = await scenario.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def waits_nothing(scenario: Scenario) -> bool:
    """Whether no client, line or credit is left."""
    left = {keys.NAMES[kind] for kind in ("ring", "credit", "again", "jobs_of")}
    return not any(name.removeprefix(keys.prefix()).startswith(tuple(left)) for name in await scenario.names())


# Round by client


async def test_clients_take_turns_however_much_one_has_asked(scenario: Scenario) -> None:
    await ask(scenario, A, A, A, B, C, C)
    turns = await scenario.turns("w1")
    assert clients_of(turns) == [A, B, C, A, C, A]
    assert turns.again is None
    assert await waits_nothing(scenario)


async def test_who_comes_goes_to_the_end_of_the_round(scenario: Scenario) -> None:
    await ask(scenario, A, A, B, B)
    assert clients_of(await scenario.turns("w1", 1)) == [A]
    await ask(scenario, C)
    assert clients_of(await scenario.turns("w1")) == [B, A, C, B]


async def test_a_clients_questions_come_in_their_order(scenario: Scenario) -> None:
    asked = await ask(scenario, A, A, A)
    assert [answers_of(await scenario.turns("w1", 1)) for _ in asked] == [[answer] for answer in asked]


async def test_a_client_with_more_weight_gets_more_turns_of_a_round(scenario: Scenario) -> None:
    await ask(scenario, *[replace(A, weight=3)] * 7, *[replace(B, weight=2)] * 4, *[C] * 3)
    turns = await scenario.turns("w1")
    assert clients_of(turns) == [A, A, A, B, B, C, A, A, A, B, B, C, A, C]
    assert await waits_nothing(scenario)


def simulated(clients: list[Client]) -> list[Client]:
    """Return whose turns come in which order, while nobody asks any more."""
    waiting, ring = Counter(clients), list(dict.fromkeys(clients))
    order = []
    while ring:
        client = ring.pop(0)
        turns = min(client.weight, waiting[client])
        order += [client] * turns
        waiting[client] -= turns
        if waiting[client]:
            ring.append(client)
    return order


@given(st.lists(st.sampled_from([A, replace(B, weight=2), replace(C, weight=3)]), max_size=20), st.integers(1, 5))
@settings(max_examples=30)
async def test_any_number_of_calls_takes_the_turns_of_a_plain_ring(clients: list[Client], free: int) -> None:
    store = Store("memory://")
    scenario = Scenario(store)
    await scenario.hire("w1")
    await ask(scenario, *clients)
    taken = list[str]()
    while turns := (await scenario.turns("w1", free)).jobs:
        taken += [job.client for job, _ in turns]
    assert taken == [client.name for client in simulated(clients)]
    assert await waits_nothing(scenario)
    await store.close()


async def test_who_was_alone_has_the_rest_of_its_weight_when_others_come(scenario: Scenario) -> None:
    heavy = replace(A, weight=3)
    await ask(scenario, *[heavy] * 8)
    # A whole visit, and one turn of the next.
    assert clients_of(await scenario.turns("w1", 4)) == [A] * 4
    assert await scenario.redis.pttl(keys.prefix() + keys.NAMES["ring"]) > 0
    await ask(scenario, B)
    assert clients_of(await scenario.turns("w1")) == [A, A, B, A, A]


async def test_what_is_left_of_a_clients_weight_ends_with_its_line(scenario: Scenario) -> None:
    heavy = replace(A, weight=3)
    await ask(scenario, heavy, B, B)
    assert clients_of(await scenario.turns("w1", 1)) == [A]
    await ask(scenario, heavy, heavy, heavy, heavy)
    assert clients_of(await scenario.turns("w1")) == [B, A, A, A, B, A]


async def test_all_clients_that_are_not_counted_are_one(scenario: Scenario) -> None:
    first, second = await scenario.ask(), await scenario.ask()
    (counted,) = await ask(scenario, A)
    assert answers_of(await scenario.turns("w1")) == [first.answer, counted, second.answer]


async def test_a_conversation_with_many_questions_takes_its_turns_as_others_do(scenario: Scenario) -> None:
    question = await scenario.ask(client=A)
    for _ in range(2):
        await scenario.ask(token=question.token, client=A)
    (other,) = await ask(scenario, A)
    task = await scenario.take("w1")
    assert task.answer == question.answer
    await scenario.finish(task)
    assert (await scenario.take("w1")).answer == other
    assert (await scenario.take("w1")).lease.token == question.token


async def test_a_token_waits_once_however_many_questions_it_has(scenario: Scenario) -> None:
    question = await scenario.ask(client=A)
    for _ in range(3):
        await scenario.ask(token=question.token, client=A)
    assert await scenario.redis.xlen(keys.line_key(A.name)) == 1
    assert len((await scenario.turns("w1")).jobs) == 1


async def test_no_more_turns_are_handed_out_than_there_are_places(scenario: Scenario) -> None:
    await ask(scenario, *[A] * 5)
    assert [len((await scenario.turns("w1", free)).jobs) for free in (2, 0, 1, 100)] == [2, 0, 1, 2]


# What a client may run at once


@pytest.mark.parametrize(("free", "running", "taken"), [(4, 0, 3), (8, 0, 6), (1, 2, 1), (1, 3, 0), (0, 0, 0)])
async def test_a_client_runs_less_than_three_times_what_is_free(
    scenario: Scenario, free: int, running: int, taken: int
) -> None:
    await ask(scenario, *[A] * 10)
    turns = await scenario.turns("w1", free, {A.name: running})
    assert len(turns.jobs) == taken
    assert turns.again is None


async def test_others_are_served_while_one_runs_enough(scenario: Scenario) -> None:
    await ask(scenario, A, A, B, C)
    assert clients_of(await scenario.turns("w1", 3, {A.name: 9})) == [B, C]
    # It is at the head of the ring still.
    assert clients_of(await scenario.turns("w1", 1)) == [A]


async def test_whoever_runs_enough_hides_nobody(scenario: Scenario) -> None:
    busy = [Client(f"address:{number}") for number in range(20)]
    await ask(scenario, *busy, A)
    turns = await scenario.turns("w1", 1, {client.name: 3 for client in busy})
    assert [job.client for job, _ in turns.jobs] == [A.name]


async def test_clients_that_are_not_counted_have_no_such_limit(scenario: Scenario) -> None:
    await ask(scenario, *[Client()] * 4)
    assert len((await scenario.turns("w1", 4, {"": 100})).jobs) == 4


# Numbered calls


async def test_a_lost_reply_is_handed_out_once_more(scenario: Scenario) -> None:
    await ask(scenario, A, B, A)
    lost = await scenario.sessions.take("w1", 1, 0, 2, {})
    again = await scenario.sessions.take("w1", 2, 0, 2, {})
    assert (again.number, again.again) == (1, 0)
    assert [job.lease for job, _ in again.jobs] == [job.lease for job, _ in lost.jobs]
    assert clients_of(again) == [A, B]
    following = await scenario.sessions.take("w1", 3, again.number, 2, {})
    assert (following.number, clients_of(following)) == (3, [A])


async def test_a_call_that_comes_late_takes_nothing(scenario: Scenario) -> None:
    await ask(scenario, A)
    await scenario.sessions.take("w1", 1, 0, 1, {})
    await scenario.sessions.take("w1", 3, 1, 1, {})
    await ask(scenario, B)
    for number, seen in ((1, 0), (2, 1), (3, 3)):
        assert (await scenario.sessions.take("w1", number, seen, 1, {})).jobs == ()
    assert clients_of(await scenario.sessions.take("w1", 4, 3, 1, {})) == [B]


@pytest.mark.parametrize("meanwhile", ["finish", "release", "disclaim"])
async def test_what_was_taken_from_the_worker_is_not_handed_out_to_it_again(scenario: Scenario, meanwhile: str) -> None:
    await ask(scenario, A)
    ((job, _),) = (await scenario.sessions.take("w1", 1, 0, 1, {})).jobs
    match meanwhile:
        case "finish":
            await scenario.finish(job)
        case "release":
            await scenario.sessions.release(job.lease)
        case _:
            await scenario.sessions.disclaim(job.lease)
    assert (await scenario.sessions.take("w1", 1, 0, 1, {})).jobs == ()
    following = answers_of(await scenario.turns("w2"))
    assert following == ([] if meanwhile == "finish" else [job.answer])


async def test_a_worker_that_was_taken_for_dead_gets_its_turn_under_another_lease(scenario: Scenario) -> None:
    await ask(scenario, A)
    ((lost, _),) = (await scenario.sessions.take("w1", 1, 0, 1, {})).jobs
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    await scenario.hire("w1")
    ((job, _),) = (await scenario.sessions.take("w1", 2, 0, 1, {})).jobs
    assert (job.answer, job.lease.fence) == (lost.answer, 3)


async def test_what_another_worker_took_is_its_own(scenario: Scenario) -> None:
    await ask(scenario, A)
    ((job, _),) = (await scenario.sessions.take("w1", 1, 0, 1, {})).jobs
    await scenario.sessions.disclaim(job.lease)
    assert (await scenario.take("w2")).answer == job.answer
    assert (await scenario.sessions.take("w1", 2, 0, 1, {})).jobs == ()
    assert await scenario.sessions.read_leases("w1") == []


async def test_a_reply_that_never_came_costs_a_worker_no_turn(store_url: str) -> None:
    store = ForgetfulStore(store_url)
    scenario = Scenario(store)
    await scenario.hire("w1")
    (asked,) = await ask(scenario, A)
    store.lose = "take"
    with pytest.raises(StoreUnavailableError):
        await scenario.turns("w1")
    assert answers_of(await scenario.turns("w1")) == [asked]
    assert answers_of(await scenario.turns("w1")) == []
    await store.close()


async def test_what_a_worker_took_is_forgotten_after_a_while(store_url: str) -> None:
    store = Store(store_url)
    scenario = Scenario(store, GatewaySettings(answer_ttl=10))
    await scenario.hire("w1")
    await scenario.turns("w1")
    assert 0 < await scenario.redis.ttl(keys.took_key("w1")) <= 10
    await store.close()


# The worker that holds the conversation


async def follow_up(scenario: Scenario, owner_free: int = 1) -> Asked:
    """Ask the second question of a conversation that w1 holds, which has so many free places."""
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"), free=owner_free)
    return await scenario.ask("second", question.token)


async def test_a_follow_up_is_left_to_its_worker_for_a_tenth_of_a_second(scenario: Scenario) -> None:
    question = await follow_up(scenario, owner_free=2)
    await enter_at(scenario, question, await now(scenario) + 60_000)
    turns = await scenario.turns("w2")
    assert turns.jobs == ()
    assert turns.again is not None
    assert 0.1 < turns.again <= 60.1
    task = await scenario.take("w1")
    assert (task.answer, task.session) == (question.answer, b"{}")


async def test_after_that_any_worker_takes_it_and_its_conversation(scenario: Scenario) -> None:
    question = await follow_up(scenario, owner_free=2)
    await enter_at(scenario, question, await now(scenario) - 100)
    task = await scenario.take("w2")
    assert (task.answer, task.session, task.lease.fence) == (question.answer, b"{}", 2)
    assert await scenario.sessions.read_leases("w1") == []


async def test_when_its_time_is_over_is_measured(scenario: Scenario) -> None:
    question = await follow_up(scenario, owner_free=2)

    async def taken() -> bool:
        turns = await scenario.turns("w2")
        assert turns.jobs or turns.again is not None
        assert turns.again is None or turns.again <= 0.1
        return answers_of(turns) == [question.answer]

    await until(taken)


@pytest.mark.parametrize("owner", ["full", "dead", "gone"])
async def test_a_follow_up_does_not_wait_for_a_worker_that_cannot_take_it(scenario: Scenario, owner: str) -> None:
    question = await follow_up(scenario, owner_free=0 if owner == "full" else 2)
    await enter_at(scenario, question, await now(scenario) + 60_000)
    match owner:
        case "dead":
            await scenario.kill("w1")
        case "gone":
            await scenario.sessions.leave("w1")
    assert (await scenario.take("w2")).answer == question.answer


async def test_behind_what_is_left_to_another_worker_others_are_found(scenario: Scenario) -> None:
    question = await follow_up(scenario, owner_free=9)
    await enter_at(scenario, question, await now(scenario) + 60_000)
    of_the_same, of_another = await scenario.ask(), await scenario.ask(client=A)
    turns = await scenario.turns("w2")
    assert answers_of(turns) == [of_the_same.answer, of_another.answer]
    assert turns.again is not None
    assert answers_of(await scenario.turns("w1")) == [question.answer]


# What was given back


@pytest.mark.parametrize("way", ["release", "reap"])
async def test_what_comes_back_is_ahead_of_its_clients_others(scenario: Scenario, way: str) -> None:
    first, _, third = await ask(scenario, A, A, A)
    task, _ = await scenario.take("w1"), await scenario.take("w2")
    if way == "release":
        await scenario.sessions.release(task.lease)
    else:
        await scenario.kill("w1")
        await scenario.sessions.reap("w2", "w1")
    assert await scenario.redis.ttl(f"{keys.prefix()}{keys.NAMES['again']}{A.name}") > 0
    assert answers_of(await scenario.turns("w2")) == [first, third]
    assert await waits_nothing(scenario)


async def test_what_comes_back_waits_for_its_clients_turn(scenario: Scenario) -> None:
    first, _ = await ask(scenario, A, B)
    task = await scenario.take("w1")
    await ask(scenario, B)
    await scenario.sessions.release(task.lease)
    turns = await scenario.turns("w2")
    assert clients_of(turns) == [B, A, B]
    assert answers_of(turns)[1] == first


# What ends while it waits


async def test_a_session_that_ends_while_it_waits_leaves_its_line(scenario: Scenario) -> None:
    question = await scenario.ask(client=A)
    await scenario.sessions.end(question.token)
    assert await waits_nothing(scenario)
    first, second = await scenario.ask(client=A), await scenario.ask(client=A)
    await scenario.sessions.end(first.token)
    assert answers_of(await scenario.turns("w1")) == [second.answer]


async def test_a_session_that_was_given_back_and_ends_leaves_its_line(scenario: Scenario) -> None:
    question = await scenario.ask(client=A)
    await scenario.sessions.release((await scenario.take("w1")).lease)
    await scenario.sessions.end(question.token)
    assert await waits_nothing(scenario)


@pytest.mark.parametrize("given_back", [False, True])
async def test_a_token_that_expires_while_it_waits_is_passed_over(scenario: Scenario, given_back: bool) -> None:
    question = await scenario.ask(client=A)
    if given_back:
        await scenario.sessions.release((await scenario.take("w1")).lease)
    (other,) = await ask(scenario, B)
    await scenario.redis.delete(keys.token_key(question.token), keys.mailbox_key(question.token))
    assert answers_of(await scenario.turns("w1")) == [other]
    assert await waits_nothing(scenario)


async def test_a_token_that_was_made_anew_is_not_taken_by_its_old_entry(scenario: Scenario) -> None:
    question = await scenario.ask(client=A)
    await scenario.redis.delete(keys.token_key(question.token), keys.mailbox_key(question.token))
    (other,) = await ask(scenario, B)
    anew = replace(B, holder=A.holder)
    again = await scenario.jobs.submit("s0-anew", Chat("balanced", "x"), question.token, create=True, client=anew)
    turns = await scenario.turns("w1")
    assert answers_of(turns) == [other, again]
    assert await waits_nothing(scenario)


async def test_jobs_that_have_ended_cost_their_client_no_turn(scenario: Scenario) -> None:
    first, second, third, other = await ask(scenario, A, A, A, B)
    for answer in (first, second):
        await scenario.jobs.stop(answer, "a")
    assert answers_of(await scenario.turns("w1", 1)) == [third]
    assert answers_of(await scenario.turns("w1", 1)) == [other]
    assert await waits_nothing(scenario)


async def test_a_call_looks_at_a_bounded_number_of_tokens(store_url: str) -> None:
    store = Store(store_url)
    scenario = Scenario(store, GatewaySettings(client_limit=1000))
    await scenario.hire("w1")
    for answer in await ask(scenario, *[B] * 70):
        await scenario.jobs.stop(answer)
    (waiting,) = await ask(scenario, B)
    turns = await scenario.turns("w1")
    assert (turns.jobs, turns.again) == ((), 0)
    assert answers_of(await scenario.turns("w1")) == [waiting]
    await store.close()


# How long what waits is kept


async def test_lines_and_the_ring_live_as_long_as_their_tokens(store_url: str) -> None:
    store = Store(store_url)
    short, long = Scenario(store, GatewaySettings(session_ttl=100)), Scenario(store, GatewaySettings(session_ttl=1000))
    await short.hire("w1")
    names = [keys.ring_key(), keys.line_key(B.name)]
    question = await short.ask(client=B)
    assert all([90 < await short.redis.ttl(name) <= 100 for name in names])
    await long.ask(client=B)
    assert all([900 < await short.redis.ttl(name) <= 1000 for name in names])
    await short.ask(client=B)
    assert all([900 < await short.redis.ttl(name) <= 1000 for name in names])
    # A question of a token that waits already renews them too.
    for name in names:
        await short.redis.expire(name, 10)
    await short.ask(token=question.token, client=B)
    assert all([90 < await short.redis.ttl(name) <= 100 for name in names])
    await store.close()
