"""The plain way to build such a path, its worker: each delta is one call of a script that is awaited.

`python -m bench.systems.plain` is its gateway.
"""

import argparse
import asyncio
import json
from typing import Any

import uvloop
from redis.asyncio import BlockingConnectionPool, Redis

from bench.question import parse, pieces
from bench.systems.plain import CHANNEL, JOBS

_FENCE = "7"
_TTL = 60
_BATCH = 100
# Appends one event as ours does: fence and state are checked, the log is kept, the seq is counted.
_APPEND = """
local token = redis.call('HMGET', KEYS[1], 'owner', 'fence')
if token[1] ~= ARGV[1] or token[2] ~= ARGV[2] then return -1 end
local seq = redis.call('HINCRBY', KEYS[2], 'seq', 1)
redis.call('XADD', KEYS[3], seq .. '-0', 'e', ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return seq
"""


class PlainWorker:
    """Takes jobs and makes their answers, any number at once."""

    def __init__(self, redis: "Redis", jobs: "Redis") -> None:
        self._redis: Any = redis
        # A connection of its own: appends must not delay new jobs.
        self._jobs: Any = jobs
        self._append = redis.register_script(_APPEND)

    async def run(self) -> None:
        """Take jobs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                popped = await self._jobs.brpop([JOBS], timeout=1)
                if popped is None:
                    continue
                for job in (popped[1], *(await self._jobs.rpop(JOBS, _BATCH) or ())):
                    tasks.create_task(self._answer(**json.loads(job)))

    async def _answer(self, answer: str, question: str) -> None:
        await self._redis.hset(f"token:{answer}", mapping={"owner": "producer", "fence": _FENCE})
        await self._redis.expire(f"token:{answer}", _TTL)
        text = ""
        async for piece in pieces(parse(question)):
            text += piece
            await self._publish(answer, {"type": "delta", "text": piece})
        await self._publish(answer, {"type": "final", "text": text})
        await self._redis.expire(f"job:{answer}", _TTL)

    async def _publish(self, answer: str, event: dict[str, str]) -> None:
        keys = [f"token:{answer}", f"job:{answer}", f"log:{answer}"]
        await self._append(keys, ["producer", _FENCE, f"{CHANNEL}{answer}", json.dumps(event), _TTL])


async def run(redis_url: str, connections: int) -> None:
    """Answer until cancelled."""
    pool = BlockingConnectionPool.from_url(redis_url, max_connections=connections)
    await PlainWorker(Redis.from_pool(pool), Redis.from_url(redis_url)).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.systems.plain_worker", description=__doc__)
    parser.add_argument("--redis", required=True, help="its address")
    parser.add_argument("--connections", type=int, required=True, help="at most so many to Redis")
    arguments = parser.parse_args()
    uvloop.run(run(arguments.redis, arguments.connections))
