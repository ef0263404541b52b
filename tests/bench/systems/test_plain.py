"""The plain way's gateway sends what is published."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from bench.systems.plain import CHANNEL, JOBS, create_app
from tests.support.conditions import until

pytestmark = pytest.mark.anyio


async def answer_one(redis: Any) -> str:
    """Answer the next job as the plain worker does, and return its question."""
    job = json.loads((await redis.brpop([JOBS], timeout=10))[1])
    for kind, text in (("delta", "a"), ("delta", "b"), ("final", "ab")):
        await redis.publish(f"{CHANNEL}{job['answer']}", json.dumps({"type": kind, "text": text}))
    return str(job["question"])


async def has_subscriber(redis: Any) -> bool:
    [(_, count)] = await redis.pubsub_numsub(JOBS)
    return bool(count)


async def test_a_question_becomes_a_job_and_its_events_become_frames(valkey_url: str) -> None:
    app = create_app(valkey_url)
    async with (
        Redis.from_url(valkey_url) as redis,
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plain") as client,
    ):
        # Two tasks that connect one pubsub at the same time would get in each other's way.
        await until(lambda: has_subscriber(redis), "the gateway's subscription")
        answering = asyncio.create_task(answer_one(redis))
        response = await client.get("/api_stream", params={"question": "hello"})
        assert await answering == "hello"
        assert (await client.get("/readyz")).text == "ready"
    frames = [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line]
    assert [(frame["data"]["answer"], frame["data"]["done"]) for frame in frames] == [
        ("a", False),
        ("b", False),
        ("ab", True),
    ]
    assert len({frame["data"]["token"] for frame in frames}) == 1
