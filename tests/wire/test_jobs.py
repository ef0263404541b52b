"""Jobs are accepted once, refused with a reason, and expire only while they wait."""

import asyncio
import itertools

import pytest

from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.wire.scenario import ForgetfulStore, Scenario
from wire import keys
from wire.errors import (
    BadMessageError,
    ClientFullError,
    KeyReusedError,
    KeySpentError,
    QueueFullError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.jobs import Client, IdempotencyKey, new_answer_id, new_token
from wire.messages import Chat, Failed, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


def test_ids_are_unguessable_and_name_their_shard() -> None:
    ids = {new_answer_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(id_.startswith("s0-") and len(id_) == 35 for id_ in ids)
    assert len({new_token() for _ in range(100)}) == 100


async def test_the_same_job_again_is_the_existing_one(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    for _ in range(2):
        await scenario.jobs.submit(question.answer, Chat("balanced", "hello"), question.token, create=False)
    await scenario.finish(await scenario.take("w1"))
    await scenario.jobs.submit(question.answer, Chat("balanced", "hello"), question.token, create=True)
    assert await scenario.take_all("w1") == []
    assert await scenario.events(question.answer) == [Final("done")]


async def test_an_unknown_token_is_refused_and_leaves_nothing(scenario: Scenario) -> None:
    with pytest.raises(TokenUnknownError):
        await scenario.ask("hello", new_token())
    assert await scenario.names() == set()


async def test_a_full_queue_refuses_and_says_when_to_come_back(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=2))
    await scenario.hire("w1")
    first, second = await scenario.ask(), await scenario.ask()
    token, answer = new_token(), new_answer_id()
    with pytest.raises(QueueFullError) as refused:
        await scenario.jobs.submit(answer, Chat("balanced", "third"), token, create=True)
    assert refused.value.retry_after > 0
    assert await scenario.redis.exists(keys.job_key(answer), keys.token_key(token)) == 0
    # What was accepted before is not refused now.
    await scenario.jobs.submit(second.answer, Chat("balanced", "hello"), second.token, create=True)
    assert await scenario.jobs.expire(first.answer)
    third = await scenario.ask()
    assert (await scenario.take("w1")).answer == second.answer
    await scenario.ask()
    with pytest.raises(QueueFullError):
        await scenario.ask()
    assert await scenario.state(third.answer) == "QUEUED"


async def test_jobs_that_nobody_will_ever_take_leave_the_queue(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=1, session_ttl=100))
    await scenario.redis.zadd(keys.queued_key(), {"s0-old": 1})
    await scenario.ask()
    with pytest.raises(QueueFullError):
        await scenario.ask()


async def test_a_job_expires_once_and_only_while_it_waits(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    assert await scenario.jobs.expire(question.answer)
    assert not await scenario.jobs.expire(question.answer)
    (event,) = await scenario.events(question.answer)
    assert isinstance(event, Failed)
    assert (event.reason, event.reset) == ("queue.timeout", False)
    assert event.retry_after
    assert await scenario.redis.zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("state", ["CLAIMED", "SENT", "STREAMING", "DONE"])
async def test_a_job_that_was_taken_does_not_expire(scenario: Scenario, state: str) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.take("w1")
    await scenario.redis.hset(keys.job_key(question.answer), "state", state)
    assert not await scenario.jobs.expire(question.answer)
    assert await scenario.events(question.answer) == []


async def test_a_job_that_expires_counts_although_its_client_has_left_by_then(scenario: Scenario) -> None:
    question = await scenario.ask()
    expiring = asyncio.create_task(scenario.jobs.expire(question.answer))
    await asyncio.sleep(0)
    expiring.cancel()
    await until(lambda: ended(scenario, question.answer))
    assert scenario.jobs.refusals["queue.timeout"] == 1


async def ended(scenario: Scenario, answer: str) -> bool:
    return bool(await scenario.events(answer)) and bool(scenario.jobs.refusals)


async def test_an_unknown_job_does_not_expire(scenario: Scenario) -> None:
    assert not await scenario.jobs.expire("s0-none")
    assert await scenario.names() == set()


async def test_a_question_that_is_no_text_is_refused(scenario: Scenario) -> None:
    with pytest.raises(BadMessageError):
        await scenario.ask("\ud800")


# Idempotency-Keys

ONCE = IdempotencyKey("name", "hash-of-hello")


async def test_a_key_leads_to_its_answer_as_long_as_that_is_kept(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first = await scenario.ask(once=ONCE)
    assert (await scenario.ask(token=first.token, once=ONCE)).answer == first.answer
    task = await scenario.sent("w1")
    assert (await scenario.ask(token=first.token, once=ONCE)).answer == first.answer
    await scenario.finish(task)
    # The token may end before the key does.
    await scenario.redis.delete(keys.token_key(first.token))
    for token in (first.token, None):
        assert (await scenario.ask(token=token, once=ONCE)).answer == first.answer
    assert await scenario.take_all("w1") == []
    assert 0 < await scenario.redis.ttl(keys.idem_key("name")) <= 24 * 3600


async def test_a_key_does_not_stand_for_another_question(scenario: Scenario) -> None:
    question = await scenario.ask(once=ONCE)
    with pytest.raises(KeyReusedError):
        await scenario.ask(token=question.token, once=IdempotencyKey("name", "hash-of-bye"))
    assert await scenario.redis.zcard(keys.queued_key()) == 1
    assert (await scenario.ask(once=IdempotencyKey("other", "hash-of-hello"))).answer != question.answer


@pytest.mark.parametrize("gone", [("job", "log"), ("log",)])
async def test_a_key_whose_answer_is_gone_asks_nothing(scenario: Scenario, gone: tuple[str, ...]) -> None:
    await scenario.hire("w1")
    question = await scenario.ask(once=ONCE)
    task = await scenario.sent("w1")
    await scenario.finish(task)
    for kind in gone:
        await scenario.redis.delete(keys.job_key(question.answer) if kind == "job" else keys.log_key(question.answer))
    with pytest.raises(KeySpentError):
        await scenario.ask(token=question.token, once=ONCE)
    assert await scenario.redis.zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("end", ["expire", "end_session", "finish", "refused", "stop"])
async def test_a_job_that_ends_unsent_frees_its_key(scenario: Scenario, end: str) -> None:
    await scenario.hire("w1")
    question = await scenario.ask(once=ONCE)
    match end:
        case "expire":
            await scenario.jobs.expire(question.answer)
        case "end_session":
            await scenario.sessions.end(question.token)
        case "stop":
            await scenario.jobs.stop(question.answer)
        case _:
            task = await scenario.take("w1")
            if end == "refused":
                await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
                await scenario.sessions.record_refusal(task, 1)
            unspent = Failed("throttled", code=120, message="none left")
            await scenario.sessions.finish(task, "FAILED", unspent, None, spent=False)
    assert len(await scenario.events(question.answer)) == 1
    assert (await scenario.ask(once=ONCE)).answer != question.answer


@pytest.mark.parametrize("end", ["finish", "reap"])
async def test_a_job_that_may_have_been_answered_keeps_its_key(scenario: Scenario, end: str) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask(once=ONCE)
    task = await scenario.sent("w1")
    if end == "reap":
        await scenario.kill("w1")
        await scenario.sessions.reap("w2", "w1")
    else:
        await scenario.sessions.finish(task, "FAILED", Failed("internal"), None)
    assert await scenario.state(question.answer) == "FAILED"
    assert (await scenario.ask(token=question.token, once=ONCE)).answer == question.answer


async def test_an_old_job_frees_no_key_that_leads_to_a_newer_one(scenario: Scenario) -> None:
    first = await scenario.ask(once=ONCE)
    await scenario.redis.delete(keys.idem_key("name"))
    second = await scenario.ask(once=ONCE)
    await scenario.jobs.expire(first.answer)
    assert (await scenario.ask(once=ONCE)).answer == second.answer


async def test_a_refused_job_takes_no_key(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=1))
    first = await scenario.ask()
    with pytest.raises(QueueFullError):
        await scenario.ask(once=ONCE)
    await scenario.jobs.expire(first.answer)
    await scenario.ask(once=IdempotencyKey("name", "hash-of-bye"))


# API keys


async def test_a_token_answers_only_to_its_holder(scenario: Scenario) -> None:
    alice, bob = Client("key:alice", "alice"), Client("key:bob", "bob")
    question = await scenario.ask(client=alice)
    await scenario.ask(token=question.token, client=alice)
    for other in (bob, Client(), Client("address:::1")):
        for create in (False, True):
            with pytest.raises(TokenUnknownError):
                await scenario.jobs.submit("s0-x", Chat("balanced", "x"), question.token, create=create, client=other)
    everybodys = await scenario.ask()
    with pytest.raises(TokenUnknownError):
        await scenario.ask(token=everybodys.token, client=alice)


# Admission


async def test_a_client_at_its_limit_is_refused_and_others_are_not(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(client_limit=2))
    await scenario.hire("w1")
    one, other = Client("address:1"), Client("address:2")
    first = await scenario.ask(client=one)
    task = await scenario.sent("w1")
    await scenario.ask(client=one)
    with pytest.raises(ClientFullError) as refused:
        await scenario.ask(client=one)
    assert 1 <= refused.value.retry_after <= 60
    await scenario.ask(client=other)
    await scenario.finish(task)
    await scenario.ask(client=one)
    with pytest.raises(ClientFullError):
        await scenario.ask(client=one)
    assert await scenario.state(first.answer) == "DONE"


async def test_a_limit_of_ones_own_counts_instead_of_the_common_one(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(client_limit=1))
    rich, poor = Client("key:rich", "rich", limit=3), Client("key:poor", "poor")
    for _ in range(3):
        await scenario.ask(client=rich)
    await scenario.ask(client=poor)
    for client in (rich, poor):
        with pytest.raises(ClientFullError):
            await scenario.ask(client=client)


@pytest.mark.parametrize("end", ["expire", "end_session", "finish", "stop", "reap"])
async def test_every_end_leaves_the_clients_count(scenario: Scenario, end: str) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    client = Client("address:1")
    question = await scenario.ask(client=client)
    assert await scenario.redis.zrange(keys.client_key(client.name), 0, -1) == [question.answer.encode()]
    match end:
        case "expire":
            await scenario.jobs.expire(question.answer)
        case "end_session":
            await scenario.sessions.end(question.token)
        case "stop":
            await scenario.jobs.stop(question.answer)
        case "finish":
            await scenario.finish(await scenario.sent("w1"))
        case _:
            await scenario.sent("w1")
            await scenario.kill("w1")
            await scenario.sessions.reap("w2", "w1")
    assert await scenario.redis.exists(keys.client_key(client.name)) == 0


async def test_a_job_that_goes_back_still_counts(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    client = Client("address:1")
    await scenario.ask(client=client)
    await scenario.take("w1")
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    assert await scenario.redis.zcard(keys.client_key(client.name)) == 1


async def test_jobs_whose_keys_are_gone_leave_the_clients_count(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(client_limit=1, session_ttl=100))
    await scenario.redis.zadd(keys.client_key("address:1"), {"s0-old": 1})
    await scenario.ask(client=Client("address:1"))


async def test_a_full_mailbox_refuses_and_makes_room_for_what_has_ended(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(mailbox_limit=2))
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.sent("w1")
    waiting = [await scenario.ask(token=question.token) for _ in range(2)]
    with pytest.raises(QueueFullError) as refused:
        await scenario.ask(token=question.token)
    assert 1 <= refused.value.retry_after <= 60
    await scenario.ask()
    await scenario.jobs.expire(waiting[0].answer)
    last = await scenario.ask(token=question.token)
    with pytest.raises(QueueFullError):
        await scenario.ask(token=question.token)
    mailbox = await scenario.redis.lrange(keys.mailbox_key(question.token), 0, -1)
    assert mailbox == [waiting[1].answer.encode(), last.answer.encode()]


async def fill(scenario: Scenario, client: Client) -> int:
    """Ask as the client until it is refused; return how often it was not."""
    for accepted in itertools.count():
        try:
            await scenario.ask(client=client)
        except ClientFullError:
            return accepted
    raise AssertionError


async def test_however_many_fill_the_queue_who_comes_finds_a_place(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=12))
    assert [await fill(scenario, Client(f"address:{number}")) for number in range(3)] == [6, 3, 2]
    await scenario.ask(client=Client("address:newcomer"))
    with pytest.raises(QueueFullError):
        await scenario.ask(client=Client("address:too late"))


async def test_with_more_weight_a_client_may_hold_more_of_the_queue(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=12))
    assert await fill(scenario, Client("key:heavy", "heavy", weight=3)) == 9
    assert await fill(scenario, Client("address:light")) == 2


async def test_in_a_nearly_full_queue_a_client_may_hold_as_many_as_its_weight(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=6))
    for _ in range(4):
        await scenario.ask()
    assert await fill(scenario, Client("key:heavy", "heavy", weight=2)) == 2


async def test_who_holds_less_than_its_weight_is_refused_only_by_a_full_queue(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=2))
    heavy = Client("key:heavy", "heavy", weight=3)
    await scenario.ask(client=heavy)
    await scenario.ask()
    with pytest.raises(QueueFullError):
        await scenario.ask(client=heavy)


async def test_what_a_client_runs_counts_towards_its_share_of_the_queue(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=12))
    await scenario.hire("w1")
    client = Client("address:1")
    for _ in range(4):
        await scenario.ask(client=client)
        await scenario.take("w1")
    assert await fill(scenario, client) == 4


async def refused_after(scenario: Scenario, **ask: object) -> int:
    """Return the seconds after which a refused client may retry."""
    try:
        await scenario.ask(**ask)  # type: ignore[arg-type]
    except (QueueFullError, ClientFullError) as refused:
        return refused.retry_after
    raise AssertionError("it was not refused")


async def test_when_to_come_back_is_measured(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=10, client_limit=4, mailbox_limit=1))
    client = Client("address:1")
    for _ in range(4):
        await scenario.ask(client=client)
    for _ in range(6):
        token = (await scenario.ask()).token
    rate = keys.rate_key()
    at = (await scenario.redis.time())[0] * 1000
    # One ends every 2 s, and each takes 12 s.
    await scenario.redis.hset(rate, mapping={"at": at, "gap": 2000, "took": 12000})
    # Two clients wait, and take turns.
    assert await refused_after(scenario) == 4
    assert await refused_after(scenario, client=client) == 3
    assert await refused_after(scenario, token=token) == 12
    await scenario.redis.hset(rate, "gap", 10)
    assert await refused_after(scenario) <= 3
    await scenario.redis.hset(rate, "gap", 600000)
    assert await refused_after(scenario) == 60


async def test_a_queue_of_which_nothing_ends_counts_with_its_longest_wait(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=2))
    first, _ = await scenario.ask(), await scenario.ask()
    await scenario.redis.hset(keys.rate_key(), mapping={"at": 1, "gap": 1, "took": 1})
    assert await refused_after(scenario) == 1
    now = (await scenario.redis.time())[0] * 1000
    await scenario.redis.zadd(keys.queued_key(), {first.answer: now - 10000})
    assert 10 <= await refused_after(scenario) <= 12


async def test_who_waited_in_vain_gets_the_measured_retry_after(scenario: Scenario) -> None:
    questions = [await scenario.ask(client=Client(f"address:{number}")) for number in (0, 1, 2, 3, 3)]
    at = (await scenario.redis.time())[0] * 1000
    await scenario.redis.hset(keys.rate_key(), mapping={"at": at, "gap": 5000, "took": 1})
    assert await scenario.jobs.expire(questions[0].answer)
    (event,) = await scenario.events(questions[0].answer)
    assert event == Failed("queue.timeout", reset=False, retry_after=20)


async def test_finishes_are_measured_from_the_last_one_or_their_own_beginning(scenario: Scenario) -> None:
    await scenario.hire("w1")

    async def finish(accepted_before: int, last_end_before: int) -> tuple[float, float]:
        question = await scenario.ask()
        task = await scenario.sent("w1")
        seconds, micros = await scenario.redis.time()
        now = seconds * 1000 + micros // 1000
        await scenario.redis.hset(keys.job_key(question.answer), "accepted", now - accepted_before)
        if last_end_before:
            await scenario.redis.hset(keys.rate_key(), "at", now - last_end_before)
        await scenario.finish(task)
        gap, took = await scenario.redis.hmget(keys.rate_key(), ["gap", "took"])
        return float(gap), float(took)

    assert await finish(4000, 0) == pytest.approx((4000, 4000), abs=300)
    # Long after the last one: the time without work doesn't count.
    assert await finish(4000, 900000) == pytest.approx((4000, 4000), abs=300)
    # Others ended meanwhile.
    assert await finish(14000, 1000) == pytest.approx((3700, 5000), abs=300)
    assert await scenario.redis.ttl(keys.rate_key()) > 0


async def test_refusals_are_counted_by_their_reason(store_url: str) -> None:
    store = ForgetfulStore(store_url)
    scenario = Scenario(store, GatewaySettings(queue_limit=2, client_limit=1))
    alice = Client("key:alice", "alice")
    first = await scenario.ask(client=alice)
    with pytest.raises(ClientFullError):
        await scenario.ask(client=alice)
    await scenario.ask()
    with pytest.raises(QueueFullError):
        await scenario.ask()
    assert await scenario.jobs.expire(first.answer)
    assert not await scenario.jobs.expire(first.answer)
    store.lose = "enqueue"
    with pytest.raises(StoreUnavailableError):
        await scenario.ask()
    counts = {"client.limit": 1, "queue.full": 1, "queue.timeout": 1, "store.unavailable": 1}
    assert scenario.jobs.refusals == counts
    await scenario.jobs.close()
    await store.close()
