"""A question leaves only once a replica has its mark."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Marking:
    """A job that a worker has claimed, and its mark."""

    store: Alone
    scenario: Scenario
    job: ClaimedJob
    mark: SentMark

    async def try_write(self) -> None:
        await self.mark.try_write(1, fresh=True, stateless=None)

    async def fail_to_write(self, *, away: bool = False) -> None:
        """Begin an attempt whose mark no replica has; `away`: nor can it be taken back at once."""
        self.mark.begin()
        self.store.alone, self.store.away = 1, away
        with pytest.raises(UnconfirmedError):
            await self.try_write()

    async def read(self) -> tuple[bytes, bytes | None]:
        """Return the job's state, and how many times it was sent."""
        state, attempts = await self.scenario.redis.hmget(keys.job_key(self.job.answer), "state", "attempts")
        return state, attempts


@pytest.fixture
async def marking(store_url: str, anyio_backend: str) -> AsyncIterator[Marking]:
    """Nothing is written yet."""
    store = Alone(store_url)
    scenario = Scenario(store)
    await scenario.settle()
    await scenario.hire("w")
    await scenario.ask(attempt="attempt")
    job = await scenario.take("w")
    yield Marking(store, scenario, job, SentMark(scenario.sessions, job, report_nothing))
    await store.close()


@pytest.mark.parametrize("away", [False, True])
async def test_a_mark_that_no_replica_has_is_as_if_it_had_never_been(marking: Marking, away: bool) -> None:
    """Also where taking it back takes another try."""
    await marking.fail_to_write(away=away)
    assert await marking.read() == ((b"SENT", b"1") if away else (b"CLAIMED", None))
    await marking.try_write()
    assert await marking.read() == (b"SENT", b"1")


async def test_it_is_written_again_until_a_replica_has_it(marking: Marking) -> None:
    marking.store.alone = 2
    await marking.mark.write(1, fresh=True, stateless=None, until=asyncio.get_running_loop().time() + 60)
    assert await marking.read() == (b"SENT", b"1")
    await marking.mark.record_refusal(0.0)
    assert await marking.read() == (b"CLAIMED", b"1"), "it was sent, and counts"


async def test_who_gives_up_leaves_a_job_that_was_not_sent(marking: Marking) -> None:
    marking.store.alone = 1
    with pytest.raises(UnconfirmedError):
        await marking.mark.write(1, fresh=True, stateless=None, until=0.0)
    assert await marking.scenario.sessions.release(marking.job.lease), "it goes back to the queue"


async def test_a_job_that_was_withdrawn_while_it_was_marked_is_not_sent(marking: Marking) -> None:
    """Its gateway has refused it, for want of a replica too."""
    await marking.fail_to_write(away=True)
    await marking.scenario.jobs._withdraw(marking.job.answer, "attempt")
    with pytest.raises(AnswerEndedError):
        await marking.try_write()
    assert await marking.scenario.state(marking.job.answer) == "FAILED"
    asked = await marking.scenario.ask(attempt="attempt")
    assert asked.answer != marking.job.answer, "who is asked next begins afresh"


async def test_one_that_another_gateway_has_adopted_since_is_sent(marking: Marking) -> None:
    await marking.fail_to_write(away=True)
    await marking.scenario.jobs._withdraw(marking.job.answer, "attempt")
    assert (await marking.scenario.ask(attempt="attempt")).answer == marking.job.answer
    await marking.try_write()
    assert await marking.read() == (b"SENT", b"1")


async def test_a_job_that_was_stopped_meanwhile_is_not_sent(marking: Marking) -> None:
    await marking.fail_to_write()
    await marking.scenario.jobs.stop(marking.job.answer)
    with pytest.raises(AnswerEndedError):
        await marking.try_write()
