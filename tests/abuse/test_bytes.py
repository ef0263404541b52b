"""Bytes: one client's questions and conversations leave Redis room for the others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.abuse.crowd import HELD, SHORT, Crowd, crowd_at
from wire.json_values import MAX_VALUES

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]

MEGABYTE = 2**20
MEMORY = 128 * MEGABYTE


@asynccontextmanager
async def asker(crowd: Crowd, name: str, **fields: Any) -> AsyncIterator[Callable[[str, int], Awaitable[int]]]:
    """Yield what asks under /v1 with these fields and so many bytes of instructions.

    It returns the status as soon as it comes. The connections stay open, so that nobody stops the answers.
    """
    url = f"{crowd.cluster.urls[0]}/v1/chat/completions"
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=600, limits=limits) as client:

        async def ask(words: str, size: int) -> int:
            messages = [{"role": "system", "content": "x" * size}, {"role": "user", "content": f"{words} {name}"}]
            body = {"model": "stand-in", "messages": messages, "stream": True, **fields}
            request = client.build_request("POST", url, json=body, headers=dict(crowd.headers(name)))
            return (await client.send(request, stream=True)).status_code

        yield ask


async def is_answered(crowd: Crowd, name: str) -> bool:
    """Whether a client's short question is answered."""
    return [exchange.code for exchange in await crowd.answers(name)] == [200]


async def test_large_questions_of_one_client_leave_room_for_those_of_others(tmp_path: Path) -> None:
    """A hundred of a megabyte each, none of which ends, in a Redis that has room for as many bytes and no more."""
    async with crowd_at(tmp_path, settings={"WORKER_SLOTS": "4"}) as crowd:
        crowd.cluster.client.config_set("maxmemory", MEMORY)
        await crowd.join("big")
        await crowd.join("small")
        statuses = []
        async with asker(crowd, "big") as ask:
            for _ in range(10):
                statuses += await asyncio.gather(*(ask(HELD, MEGABYTE) for _ in range(10)))
                assert await is_answered(crowd, "small")
        assert set(statuses) == {200, 429}
        gauges = crowd.cluster.gauges(crowd.cluster.gateways[0])
        assert gauges["bing_store_used_ratio"] < 0.85
        assert crowd.cluster.client.info("memory")["used_memory"] < 0.8 * MEMORY


async def test_conversations_of_one_client_leave_room_for_those_of_others(tmp_path: Path) -> None:
    """Each is short and ends at once, but would be remembered for hours."""
    settings = {"STORE_BYTES": str(16 * MEGABYTE)}
    async with crowd_at(tmp_path, settings=settings) as crowd:
        await crowd.join("big")
        await crowd.join("small")
        before = crowd.cluster.client.info("memory")["used_memory"]
        async with asker(crowd, "big") as ask:
            for _ in range(20):
                await asyncio.gather(*(ask(SHORT, 2**16) for _ in range(20)))
                assert await is_answered(crowd, "small")
        assert crowd.cluster.client.info("memory")["used_memory"] - before < 24 * MEGABYTE


async def test_questions_of_many_small_values_leave_a_worker_memory(tmp_path: Path) -> None:
    """Two clients with twenty each; each question takes a worker thirty times the memory that it takes of Redis."""
    values = [{"a": "b"}] * (MAX_VALUES // 2 - 100)
    async with crowd_at(tmp_path, settings={"STORE_BYTES": str(128 * MEGABYTE)}) as crowd:
        worker, names = crowd.cluster.workers[0], ("one", "two")
        before = worker.memory
        async with AsyncExitStack() as stack:
            asks = []
            for name in names:
                await crowd.join(name)
                asks.append(await stack.enter_async_context(asker(crowd, name, unknown=values)))
            await crowd.join("small")
            statuses = [await ask(HELD, 1) for _ in range(20) for ask in asks]
            assert await is_answered(crowd, "small")
            assert set(statuses) == {200, 429}
            assert worker.memory - before < 2.5 * 128 * MEGABYTE
