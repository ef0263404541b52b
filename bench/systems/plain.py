"""The plain way to build such a path, its gateway: redis-py's pub/sub, and sse-starlette's response.

`python -m bench.systems.plain_worker` makes the answers. Nothing is repaired here: what a subscriber misses is lost.
"""

import argparse
import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

# What it shares with its worker: the list of jobs, and an answer's channel.
JOBS = "jobs"
CHANNEL = "answer:"


class PlainGateway:
    """One connection is subscribed to all running answers, and each answer has a queue."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)
        self._queues: dict[bytes, asyncio.Queue[bytes]] = {}

    async def run(self) -> None:
        """Distribute the messages to the queues until cancelled."""
        # A channel on which nothing comes: `listen` ends when the last subscription does.
        await self._pubsub.subscribe(JOBS)
        async for message in self._pubsub.listen():
            queue = self._queues.get(message["channel"])
            if queue is not None:
                queue.put_nowait(message["data"])

    async def ask(self, request: Request) -> EventSourceResponse:
        """Answer a question with a stream."""
        return EventSourceResponse(self._answer(request.query_params["question"]), sep="\n")

    async def _answer(self, question: str) -> AsyncIterator[str]:
        answer, token = uuid.uuid4().hex, str(uuid.uuid4())
        channel = f"{CHANNEL}{answer}"
        queue = self._queues[channel.encode()] = asyncio.Queue()
        try:
            await self._pubsub.subscribe(channel)
            await self._redis.lpush(JOBS, json.dumps({"answer": answer, "question": question}))
            done = False
            while not done:
                event = json.loads(await queue.get())
                done = event["type"] == "final"
                yield _frame(event["text"], token, done=done)
        finally:
            del self._queues[channel.encode()]
            await self._pubsub.unsubscribe(channel)


def _frame(text: str, token: str, *, done: bool) -> str:
    data = {"answer": text, "urls": [], "done": done, "reset": False, "token": token}
    return json.dumps({"code": 200, "message": "success", "data": data}, ensure_ascii=False)


async def _ready(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ready")


def create_app(redis_url: str) -> Starlette:
    """Return the application."""
    redis: Any = Redis.from_url(redis_url)
    gateway = PlainGateway(redis)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(gateway.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await redis.aclose()

    return Starlette(routes=[Route("/api_stream", gateway.ask), Route("/readyz", _ready)], lifespan=lifespan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.systems.plain", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis", required=True, help="its address")
    arguments = parser.parse_args()
    uvicorn.run(
        create_app(arguments.redis),
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
