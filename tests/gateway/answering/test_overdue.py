"""Questions that wait although no worker lives."""

import asyncio

import pytest

from gateway.answering.overdue import OverdueJobs
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from wire import keys
from wire.jobs import IdempotencyKey, Jobs, new_answer_id, new_token
from wire.messages import Chat
from wire.redis.store import Store


@pytest.mark.anyio
async def test_a_keyed_question_ends_without_a_worker(store_url: str) -> None:
    store = Store(store_url)
    jobs, answer = Jobs(store, GatewaySettings()), new_answer_id()
    work, once = Chat("balanced", "hello"), IdempotencyKey("key", "digest")
    await jobs.submit(answer, work, new_token(), create=True, once=once)
    # It has waited for an hour, and gateways have looked for as long.
    await store.execute("HSET", keys.job_key(answer), "wait_until", 1)
    await jobs.sweep()
    await store.execute("HSET", keys.looks_key(), "since", 1)
    watching = asyncio.create_task(OverdueJobs(jobs, look_every=0.01).watch())

    async def has_ended() -> bool:
        return bool(await store.execute("HGET", keys.job_key(answer), "state") == b"FAILED")

    await until(has_ended, "the question has ended")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await jobs.close()
    await store.close()
