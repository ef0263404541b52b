"""Too many questions, and clients that are too slow: what it costs them, and that it costs nobody else."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from gateway.http.listener import SOCKET_OPTIONS
from gateway.http.sse import parse_event_id
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, ScriptedWorker, joined, received, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}
# More events than wait for a follower, and more bytes than the kernel holds for a client that doesn't read.
EVENTS = 600
PIECE = 1_000
BUFFER = 4096
BIG = {"style": "balanced", "question": "big"}
TEXTS = [chr(ord("a") + number % 26) * PIECE for number in range(EVENTS)]


@pytest.fixture
async def gateway(store: Store) -> AsyncIterator[RunningGateway]:
    # Accepted sockets inherit it.
    small = (*SOCKET_OPTIONS, ("SOL_SOCKET", "SO_SNDBUF", BUFFER))
    async with running(store, socket_options=small) as gateway:
        gateway.worker.scripts["big"] = [*map(Delta, TEXTS), Final("".join(TEXTS))]
        yield gateway


async def ended(gateway: RunningGateway) -> bool:
    """Whether the worker has written the end of the big answer."""
    jobs = [key async for key in redis_client(gateway.store).scan_iter(match=keys.job_key("*"))]
    return [await redis_client(gateway.store).hget(key, "state") for key in jobs] == [b"DONE"]


async def others_are_answered(gateway: RunningGateway) -> None:
    """Ask for another client while the slow one's complete answer can't be sent."""
    await until(lambda: ended(gateway))
    response = await gateway.client.get("/api_stream", params=ASK)
    assert response.text.endswith("\n\n")
    assert '"done": true' in response.text
    # Backpressure: the gateway has not taken all of the slow client's answer into its own memory.
    assert gateway.active_requests.running == 1


async def narrow(gateway: RunningGateway) -> socket.socket:
    """Return a connection whose kernel buffers little."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", gateway.port))
    return connection


async def slow_eventsource(gateway: RunningGateway, meanwhile: Coroutine[Any, Any, None]) -> list[bytes]:
    """Return the events of a client that asks, reads nothing while `meanwhile` runs, and then all."""
    loop = asyncio.get_running_loop()
    with await narrow(gateway) as connection:
        head = b"GET /api_stream?style=balanced&question=big HTTP/1.1\r\nHost: g\r\nAccept: text/event-stream\r\n"
        await loop.sock_sendall(connection, head + b"Connection: close\r\n\r\n")
        received_ = await loop.sock_recv(connection, 1)
        await meanwhile
        while data := await loop.sock_recv(connection, 2**16):
            received_ += data
    body = received_.partition(b"\r\n\r\n")[2]
    return unchunked(body).split(b"\n\n")


def slow_socket(gateway: RunningGateway, connection: socket.socket) -> connect:
    """Return a WebSocket whose client takes nothing that isn't asked for."""
    return gateway.socket("/ws_stream", sock=connection, max_size=None, max_queue=1, compression=None)


def unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(parts)


async def test_a_slow_event_source_gets_the_whole_answer_and_keeps_nobody_waiting(gateway: RunningGateway) -> None:
    events = await slow_eventsource(gateway, others_are_answered(gateway))
    frames = [json.loads(event.partition(b"data: ")[2].partition(b"\n")[0]) for event in events if b"data: " in event]
    assert joined(frames) == "".join(TEXTS) == frames[-1]["data"]["answer"]
    ids = [event.partition(b"\nid: ")[2].decode() for event in events]
    places = [event_id.seq for event_id in map(parse_event_id, ids) if event_id]
    assert places == sorted(set(places))
    assert places[-1] == EVENTS + 1
    await until(lambda: gateway.active_requests.running == 0)


async def test_a_slow_socket_gets_the_whole_answer_and_keeps_nobody_waiting(gateway: RunningGateway) -> None:
    async with slow_socket(gateway, await narrow(gateway)) as connection:
        await connection.send(json.dumps(BIG))
        await others_are_answered(gateway)
        frames = await received(connection)
    assert joined(frames) == "".join(TEXTS) == frames[-1]["data"]["answer"]
    await until(lambda: gateway.active_requests.running == 0)


async def test_a_client_that_leaves_in_the_middle_of_its_backlog_leaves_nothing(gateway: RunningGateway) -> None:
    async with slow_socket(gateway, await narrow(gateway)) as connection:
        await connection.send(json.dumps(BIG))
        await others_are_answered(gateway)
        connection.transport.abort()
    await until(lambda: gateway.active_requests.running == 0)


# More questions than may wait.

ROOM = 3
CROWD = 12


@asynccontextmanager
async def crowded(store: Store) -> AsyncIterator[RunningGateway]:
    """Run a gateway whose queue has little room, without a worker so far."""
    crowd = settings(queue_limit=ROOM, trusted_proxies="127.0.0.1")
    async with running(store, crowd, worker=False) as gateway:
        yield gateway


def of(number: int) -> dict[str, str]:
    """Return the headers of one of the crowd, each of which is a client of its own."""
    return {"x-forwarded-for": f"203.0.113.{number}"}


async def over_http(gateway: RunningGateway, path: str, number: int) -> tuple[int, dict[str, Any], httpx.Headers]:
    response = await gateway.client.get(path, params=ASK, headers=of(number))
    if response.headers["content-type"].startswith("text/event-stream"):
        return 200, json.loads(response.text.split("data: ")[-1]), response.headers
    return response.status_code, response.json(), response.headers


@pytest.mark.parametrize("path", ["/api", "/api_stream"])
async def test_a_crowd_beyond_the_queue_is_refused_at_once(store: Store, path: str) -> None:
    """Every accepted question is answered."""
    async with crowded(store) as gateway:
        asking = [asyncio.create_task(over_http(gateway, path, number)) for number in range(CROWD)]
        await until(lambda: sum(task.done() for task in asking) == CROWD - ROOM)
        for status, body, headers in [task.result() for task in asking if task.done()]:
            assert (status, body["code"]) == (503, 503)
            assert 1 <= int(headers["retry-after"]) <= 60
        async with working(store):
            answers = [await task for task in asking]
    assert sorted(body["code"] for _, body, _ in answers) == [200] * ROOM + [503] * (CROWD - ROOM)
    assert {body["data"]["answer"] for _, body, _ in answers if body["code"] == 200} == {'你好,wor"ld'}


async def test_sockets_beyond_the_queue_get_one_frame_each_and_go_on(store: Store) -> None:
    async with crowded(store) as gateway:

        async def ask(number: int) -> list[int]:
            async with gateway.socket("/ws", additional_headers=of(number)) as connection:
                codes = []
                while 200 not in codes:
                    await connection.send(json.dumps(ASK))
                    codes.append(json.loads(await connection.recv())["code"])
                    refused.append(codes[-1])
                    await full.wait()
                return codes

        full, refused = asyncio.Event(), list[int]()
        asking = [asyncio.create_task(ask(number)) for number in range(CROWD)]
        await until(lambda: len(refused) == CROWD - ROOM)
        async with working(store):
            full.set()
            async with asyncio.timeout(20):
                answers = await asyncio.gather(*asking)
    assert refused[: CROWD - ROOM] == [503] * (CROWD - ROOM)
    assert all(set(codes[:-1]) <= {503} and codes[-1] == 200 for codes in answers)


@asynccontextmanager
async def working(store: Store) -> AsyncIterator[None]:
    """Run a worker that answers what waits."""
    task = asyncio.create_task(ScriptedWorker(store).run())
    try:
        yield
    finally:
        task.cancel()
        (ended_,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended_, asyncio.CancelledError), ended_
