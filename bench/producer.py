"""The plain way to do it, a worker of its own: each delta is one call of a script that is awaited.

`python -m bench.plain` is the gateway before it.
"""

import argparse
import asyncio
import json
from typing import Any

import uvloop
from redis.asyncio import BlockingConnectionPool, Redis

from bench.plain import CHANNEL, JOBS
from bench.question import pieces, read

_FENCE = "7"
_TTL = 60
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


class Producer:
    """Takes jobs and makes their answers, any number at once."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis
        self._append = redis.register_script(_APPEND)

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                taken = await self._redis.brpop([JOBS], timeout=1)
                if taken is not None:
                    tasks.create_task(self._produce(**json.loads(taken[1])))

    async def _produce(self, answer: str, question: str) -> None:
        await self._redis.hset(f"token:{answer}", mapping={"owner": "producer", "fence": _FENCE})
        await self._redis.expire(f"token:{answer}", _TTL)
        text = ""
        async for piece in pieces(read(question)):
            text += piece
            await self._publish(answer, {"type": "delta", "text": piece})
        await self._publish(answer, {"type": "final", "text": text})
        await self._redis.expire(f"job:{answer}", _TTL)

    async def _publish(self, answer: str, event: dict[str, str]) -> None:
        keys = [f"token:{answer}", f"job:{answer}", f"log:{answer}"]
        await self._append(keys, ["producer", _FENCE, f"{CHANNEL}{answer}", json.dumps(event), _TTL])


async def run(redis_url: str, connections: int) -> None:
    """Produce until cancelled."""
    pool = BlockingConnectionPool.from_url(redis_url, max_connections=connections)
    await Producer(Redis.from_pool(pool)).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.producer", description=__doc__)
    parser.add_argument("--redis", required=True, help="its address")
    parser.add_argument("--connections", type=int, required=True)
    chosen = parser.parse_args()
    uvloop.run(run(chosen.redis, chosen.connections))
