"""Following answers, and the keep-alive of the jobs that wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import Any

import pytest

from gateway.answering.drain import ActiveRequests
from gateway.answering.relay import Relay
from gateway.answering.timings import Timings
from gateway.ops.metrics import first_text_histogram
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.harness import running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.answer_reader import AnswerEvent
from wire.answers import Answers
from wire.errors import AnswerLostError, StoreUnavailableError
from wire.jobs import ANYBODY, Jobs
from wire.messages import Chat, Delta, Failed, Image
from wire.redis.store import Store
from wire.sessions import Sessions


def test_a_request_may_take_the_limits_of_queue_and_answer_and_the_margin() -> None:
    jobs, answers = Jobs(Store("memory://"), GatewaySettings()), Answers(Store("memory://"))
    relay = Relay(jobs, answers, ActiveRequests(), 60, 20, first_text_histogram(), Timings(answer_margin=0.5))
    assert relay.time_limit == 80.5


@pytest.mark.anyio
async def test_waiting_for_the_whole_answer_ends_when_its_events_do() -> None:
    async def entries() -> AsyncIterator[AnswerEvent]:
        yield AnswerEvent(1, Delta("a"))

    jobs, answers = Jobs(Store("memory://"), GatewaySettings()), Answers(Store("memory://"))
    relay = Relay(jobs, answers, ActiveRequests(), 1, 1, first_text_histogram())
    with pytest.raises(AnswerLostError):
        await relay.read_end(entries())


@pytest.mark.anyio
async def test_a_job_that_waits_too_long_is_ended_once_redis_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    store, tries = Store("memory://"), []

    async def expire(jobs: Jobs, answer: str) -> bool:
        tries.append(answer)
        if len(tries) == 1:
            raise StoreUnavailableError("away")
        return await expiring(jobs, answer)

    expiring = Jobs.expire
    monkeypatch.setattr(Jobs, "expire", expire)
    async with Answers(store) as answers, asyncio.timeout(10):
        jobs = Jobs(store, GatewaySettings())
        relay = Relay(jobs, answers, ActiveRequests(), 0.01, 1, first_text_histogram())
        submit = partial(jobs.submit, "s0-1", Image("cat"), "token", create=True)
        async with relay.subscribe("s0-1", ANYBODY, new=True, submit=submit) as entries:
            event = await relay.read_end(entries)
    await store.close()
    assert isinstance(event, Failed)
    assert event.reason == "queue.timeout"
    assert tries == ["s0-1", "s0-1"]


@pytest.mark.anyio
async def test_a_job_that_waits_is_followed_until_its_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    store, followed = Store("memory://"), asyncio.Event()

    async def follow(jobs: Jobs, answer: str) -> bool:
        if not followed.is_set():
            followed.set()
            raise StoreUnavailableError("away")
        return await following(jobs, answer)

    following = Jobs.keep_alive
    monkeypatch.setattr(Jobs, "keep_alive", follow)
    async with Answers(store) as answers, asyncio.timeout(10):
        jobs = Jobs(store, GatewaySettings())
        relay = Relay(
            jobs,
            answers,
            ActiveRequests(),
            60,
            1,
            first_text_histogram(),
            Timings(renew_every=0.01, away_pause=0.01),
        )
        submit = partial(jobs.submit, "s0-1", Image("cat"), "token", create=True)
        async with relay.subscribe("s0-1", ANYBODY, new=True, submit=submit):
            redis: Any = redis_client(store)
            for _ in range(2):
                await redis.hset(keys.job_key("s0-1"), "followed_until", 1)
                await until(lambda: said_anew(redis))
    await store.close()


@pytest.mark.anyio
async def test_a_waiting_question_whose_client_left_is_never_asked(store_url: str) -> None:
    store = Store(store_url)
    config, timings = settings(follow_grace=0.5), Timings(renew_every=0.05)
    async with running(store, config, worker=False, timings=timings) as gateway:

        async def waiting() -> int:
            count: int = await redis_client(store).zcard(keys.queued_key())
            return count

        leaving = asyncio.create_task(gateway.client.get("/api?style=precise&question=leaves"))
        await until(lambda: equals(waiting(), 1))
        staying = asyncio.create_task(gateway.client.get("/api?style=precise&question=stays"))
        await until(lambda: equals(waiting(), 2))
        leaving.cancel()
        await until(lambda: gone_unfollowed(redis_client(store)))
        await Sessions(store).beat(gateway.worker.name)
        await redis_client(store).hset(keys.worker_key(gateway.worker.name), "since", "1")
        working = asyncio.create_task(gateway.worker.run())
        assert (await staying).json()["code"] == 200
        await until(lambda: equals(waiting(), 0))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == ["stays"]
    await store.close()


async def equals(count: Awaitable[int], wanted: int) -> bool:
    return await count == wanted


async def said_anew(redis: Any) -> bool:
    return bool(await redis.hget(keys.job_key("s0-1"), "followed_until") != b"1")


async def gone_unfollowed(redis: Any) -> bool:
    """Whether one of the waiting jobs has gone unfollowed for its grace."""
    jobs = await redis.zrange(keys.queued_key(), 0, -1)
    until_ = [int(await redis.hget(keys.job_key(job.decode()), "followed_until")) for job in jobs]
    seconds, micros = await redis.time()
    return any(one < seconds * 1000 + micros // 1000 for one in until_)
