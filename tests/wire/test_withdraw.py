"""A job whose acceptance reached nobody is not asked."""

import pytest

from tests.support.conditions import until
from tests.support.patched_store import PatchedStore
from tests.support.wire.scenario import ForgetfulStore, Scenario
from wire import keys
from wire.errors import AnswerEndedError, StoreUnavailableError, UnconfirmedError
from wire.jobs import ANYBODY, Client, IdempotencyKey, new_answer_id, new_token
from wire.messages import Chat
from wire.redis.connection import Argument
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


class Deaf(ForgetfulStore):
    """Redis gets the calls of `lose`, and nobody hears its answer; `late`: it gets the first of them only at last."""

    late = False
    held: tuple[str, str, tuple[Argument, ...]] | None = None

    async def run(self, script: str, key: str, *args: Argument) -> object:
        if script == self.lose and self.late:
            self.lose, self.held = "", (script, key, args)
            raise StoreUnavailableError("away")
        return await super().run(script, key, *args)

    async def arrive(self) -> None:
        """Deliver the call that was held."""
        assert self.held is not None
        script, key, args = self.held
        await Store.run(self, script, key, *args)


async def submit(scenario: Scenario, answer: str, client: Client = ANYBODY, once: IdempotencyKey | None = None) -> None:
    with pytest.raises(StoreUnavailableError):
        await scenario.jobs.submit(answer, Chat("balanced", "hi"), new_token(), create=True, client=client, once=once)


@pytest.mark.parametrize("late", [False, True])
async def test_a_question_whose_acceptance_was_not_heard_of_is_not_asked(store_url: str, late: bool) -> None:
    store = Deaf(store_url)
    store.lose, store.late = "enqueue", late
    scenario, answer = Scenario(store), new_answer_id()
    await scenario.hire("w")
    await submit(scenario, answer, Client("c"))

    async def withdrawn() -> bool:
        return bool(await scenario.redis.hget(keys.job_key(answer), "state") == b"FAILED")

    await until(withdrawn)
    if late:
        await store.arrive()
    assert await scenario.take_all("w") == []
    assert await scenario.redis.zcard(keys.queued_key()) == 0
    assert await scenario.redis.zcard(keys.client_key("c")) == 0
    assert 0 < await scenario.redis.ttl(keys.job_key(answer)) <= 600
    await store.close()


async def test_what_was_sent_by_then_runs_on(store_url: str) -> None:
    store = Deaf(store_url)
    scenario = Scenario(store)
    await scenario.hire("w")
    await scenario.ask()
    task = await scenario.sent("w")
    await scenario.jobs._withdraw(task.answer)
    assert await scenario.state(task.answer) == "SENT"
    await scenario.ask()
    claimed = await scenario.take("w")
    await scenario.jobs._withdraw(claimed.answer)
    with pytest.raises(AnswerEndedError):
        await scenario.sessions.mark_sent(claimed, 1, 1, fresh=True)
    await store.close()


async def test_a_question_under_a_key_stays_to_be_found(store_url: str) -> None:
    store = ForgetfulStore(store_url)
    store.lose = "enqueue"
    scenario, answer, once = Scenario(store), new_answer_id(), IdempotencyKey("name", "question")
    await submit(scenario, answer, once=once)
    await scenario.jobs.close()
    assert (await scenario.ask(once=once)).answer == answer
    await store.close()


async def test_withdrawing_waits_for_redis_and_can_be_ended(store_url: str) -> None:
    store = Deaf(store_url)
    scenario = Scenario(store)
    store.lose = "withdraw"
    await scenario.jobs._withdraw("s0-unknown")
    assert await scenario.redis.hget(keys.job_key("s0-unknown"), "state") == b"FAILED"
    store.lose, store.late = "enqueue", True
    await submit(scenario, new_answer_id())
    await scenario.jobs.close()
    assert not scenario.jobs._withdrawing
    await store.close()


async def submitted(scenario: Scenario, answer: str, attempt: str = "attempt") -> str:
    return await scenario.jobs.submit(answer, Chat("balanced", "hi"), new_token(), create=True, attempt=attempt)


async def test_what_another_gateway_adopted_is_not_withdrawn_by_the_first(store_url: str) -> None:
    store = Store(store_url)
    scenario, first, second = Scenario(store), new_answer_id(), new_answer_id()
    assert [await submitted(scenario, answer) for answer in (first, first, second)] == [first, first, first]
    await scenario.jobs._withdraw(first, "attempt")
    assert await scenario.state(first) == "QUEUED"
    await scenario.jobs._withdraw(second, "attempt")
    assert await scenario.state(first) == "FAILED"
    await store.close()


async def test_a_question_that_was_withdrawn_is_asked_afresh_when_it_is_passed_on(store_url: str) -> None:
    store = Store(store_url)
    scenario, first, second = Scenario(store), new_answer_id(), new_answer_id()
    await submitted(scenario, first)
    await scenario.jobs._withdraw(first, "attempt")
    assert await submitted(scenario, second) == second
    assert await scenario.state(second) == "QUEUED"
    await store.close()


async def test_a_late_acceptance_adopts_what_the_next_gateway_has_accepted(store_url: str) -> None:
    store = Store(store_url)
    scenario, first, second = Scenario(store), new_answer_id(), new_answer_id()
    assert await submitted(scenario, second) == second
    assert await submitted(scenario, first) == second
    assert await scenario.redis.zcard(keys.queued_key()) == 1
    await store.close()


async def test_a_question_that_no_replica_has_is_refused_and_not_asked(store_url: str) -> None:
    class Alone(PatchedStore):
        async def run_confirmed(self, script: str, key: str, *args: Argument) -> object:
            await self.run(script, key, *args)
            raise UnconfirmedError("no replica has it")

    store = Alone(store_url)
    scenario, answer = Scenario(store), new_answer_id()
    await scenario.hire("w")
    await submit(scenario, answer)
    await until(lambda: has_failed(scenario, answer))
    assert await scenario.take_all("w") == []
    await store.close()


async def test_a_withdrawal_that_no_replica_has_is_made_again(store_url: str) -> None:
    """A fail-over that keeps the question would lose it."""

    class AloneTwice(PatchedStore):
        tried = list[str]()

        async def run_confirmed(self, script: str, key: str, *args: Argument) -> object:
            reply = await self.run(script, key, *args)
            self.tried.append(script)
            if self.tried in (["enqueue"], ["enqueue", "withdraw"]):
                raise UnconfirmedError("no replica has it")
            return reply

    store = AloneTwice(store_url)
    await submit(Scenario(store), new_answer_id())
    await until(lambda: store.tried == ["enqueue", "withdraw", "withdraw"])
    await store.close()


async def has_failed(scenario: Scenario, answer: str) -> bool:
    return await scenario.state(answer) == "FAILED"
