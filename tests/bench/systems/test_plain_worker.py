"""The plain way's worker publishes a job's answer and keeps its log."""

import asyncio
import json
from typing import Any

import pytest
from redis.asyncio import Redis

from bench.question import Question
from bench.systems.plain import CHANNEL, JOBS
from bench.systems.plain_worker import PlainWorker

pytestmark = pytest.mark.anyio


async def test_each_piece_is_published_and_appended(valkey_url: str) -> None:
    events: list[dict[str, str]] = []
    async with (
        Redis.from_url(valkey_url) as redis,
        Redis.from_url(valkey_url) as jobs,
        redis.pubsub(ignore_subscribe_messages=True) as pubsub,
    ):
        await pubsub.subscribe(f"{CHANNEL}a")
        working = asyncio.create_task(PlainWorker(redis, jobs).run())
        await redis.lpush(JOBS, json.dumps({"answer": "a", "question": str(Question(2, 100.0))}))
        async with asyncio.timeout(10):
            async for message in pubsub.listen():
                events.append(json.loads(message["data"]))
                if events[-1]["type"] == "final":
                    break
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        log: Any = await redis.xrange("log:a")
    assert [event["type"] for event in events] == ["delta", "delta", "final"]
    assert events[0]["text"] + events[1]["text"] == events[2]["text"]
    assert [json.loads(fields[b"e"]) for _, fields in log] == events
