"""A question leaves only once a replica has its mark."""

import asyncio

import pytest

from tests.support.patched_store import PatchedStore
from tests.support.wire.scenario import Scenario
from tests.support.worker.harness import report_nothing
from wire import keys
from wire.errors import AnswerEndedError, StoreUnavailableError, UnconfirmedError
from wire.redis.connection import Argument
from wire.sessions import ClaimedJob
from worker.turns.sent_mark import SentMark

pytestmark = pytest.mark.anyio


class Alone(PatchedStore):
    """Redis whose replica has nothing of the next `alone` calls that ask for that; `away`: nor does it take more."""

    alone = 0
    away = False

    async def run_confirmed(self, script: str, key: str, *args: Argument) -> object:
        reply = await self.run(script, key, *args)
        if self.alone:
            self.alone -= 1
            raise UnconfirmedError("no replica has it")
        return reply

    async def run(self, script: str, key: str, *args: Argument) -> object:
        if script == "refused" and self.away:
            self.away = False
            raise StoreUnavailableError("away")
        return await super().run(script, key, *args)


async def claimed(store: Alone) -> tuple[Scenario, ClaimedJob]:
    scenario = Scenario(store)
    await scenario.settle()
    await scenario.hire("w")
    await scenario.ask(attempt="attempt")
    return scenario, await scenario.take("w")


async def read(scenario: Scenario, job: ClaimedJob) -> tuple[bytes, bytes | None]:
    state, attempts = await scenario.redis.hmget(keys.job_key(job.answer), "state", "attempts")
    return state, attempts


@pytest.mark.parametrize("away", [False, True])
async def test_a_mark_that_no_replica_has_is_as_if_it_had_never_been(store_url: str, away: bool) -> None:
    """Also where taking it back takes another try."""
    store = Alone(store_url)
    scenario, job = await claimed(store)
    mark = SentMark(scenario.sessions, job, report_nothing)
    mark.begin()
    store.alone, store.away = 1, away
    with pytest.raises(UnconfirmedError):
        await mark.try_write(1, fresh=True, stateless=None)
    assert await read(scenario, job) == ((b"SENT", b"1") if away else (b"CLAIMED", None))
    await mark.try_write(1, fresh=True, stateless=None)
    assert await read(scenario, job) == (b"SENT", b"1")
    await store.close()


async def test_it_is_written_again_until_a_replica_has_it(store_url: str) -> None:
    store = Alone(store_url)
    scenario, job = await claimed(store)
    store.alone = 2
    mark = SentMark(scenario.sessions, job, report_nothing)
    await mark.write(1, fresh=True, stateless=None, until=asyncio.get_running_loop().time() + 60)
    assert await read(scenario, job) == (b"SENT", b"1")
    await mark.record_refusal(0.0)
    assert await read(scenario, job) == (b"CLAIMED", b"1"), "it was sent, and counts"
    await store.close()


async def test_who_gives_up_leaves_a_job_that_was_not_sent(store_url: str) -> None:
    store = Alone(store_url)
    scenario, job = await claimed(store)
    store.alone = 1
    with pytest.raises(UnconfirmedError):
        await SentMark(scenario.sessions, job, report_nothing).write(1, fresh=True, stateless=None, until=0.0)
    assert await scenario.sessions.release(job.lease), "it goes back to the queue"
    await store.close()


async def test_a_job_that_was_withdrawn_while_it_was_marked_is_not_sent(store_url: str) -> None:
    """Its gateway has refused it, for want of a replica too."""
    store = Alone(store_url)
    scenario, job = await claimed(store)
    mark = SentMark(scenario.sessions, job, report_nothing)
    mark.begin()
    store.alone, store.away = 1, True
    with pytest.raises(UnconfirmedError):
        await mark.try_write(1, fresh=True, stateless=None)
    await scenario.jobs._withdraw(job.answer, "attempt")
    with pytest.raises(AnswerEndedError):
        await mark.try_write(1, fresh=True, stateless=None)
    assert await scenario.state(job.answer) == "FAILED"
    assert (await scenario.ask(attempt="attempt")).answer != job.answer, "who is asked next begins afresh"
    await store.close()


async def test_one_that_another_gateway_has_adopted_since_is_sent(store_url: str) -> None:
    store = Alone(store_url)
    scenario, job = await claimed(store)
    mark = SentMark(scenario.sessions, job, report_nothing)
    mark.begin()
    store.alone, store.away = 1, True
    with pytest.raises(UnconfirmedError):
        await mark.try_write(1, fresh=True, stateless=None)
    await scenario.jobs._withdraw(job.answer, "attempt")
    assert (await scenario.ask(attempt="attempt")).answer == job.answer
    await mark.try_write(1, fresh=True, stateless=None)
    assert await read(scenario, job) == (b"SENT", b"1")
    await store.close()


async def test_a_job_that_was_stopped_meanwhile_is_not_sent(store_url: str) -> None:
    store = Alone(store_url)
    scenario, job = await claimed(store)
    mark = SentMark(scenario.sessions, job, report_nothing)
    mark.begin()
    store.alone = 1
    with pytest.raises(UnconfirmedError):
        await mark.try_write(1, fresh=True, stateless=None)
    await scenario.jobs.stop(job.answer)
    with pytest.raises(AnswerEndedError):
        await mark.try_write(1, fresh=True, stateless=None)
    await store.close()
