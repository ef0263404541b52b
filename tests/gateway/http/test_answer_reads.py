"""Whoever reads long answers again and again does so a few at a time, and others read theirs meanwhile."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.http.listener import SOCKET_OPTIONS
from gateway.v2.messages import SUBPROTOCOL
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.gateway.openai_client import MODEL
from wire.messages import Delta, Final
from wire.redis.connection import Argument
from wire.redis.long_strings import CHUNK
from wire.redis.store import Store
from wire.threads import LARGE

pytestmark = pytest.mark.anyio
# How many requests come at once, of one client, and how many of them read: half of the places.
COUNT, OWN = 30, 8
OTHER = {"x-forwarded-for": "192.0.2.2"}


class HeldStore(Store):
    """A store whose reads of answers and responses wait for each other's gate; `most` of one kind waited at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate, self.waiting, self.most, self.logs_read = asyncio.Event(), 0, 0, 0
        self.gate.set()
        self.long_gate, self.long_waiting, self.long_most = asyncio.Event(), 0, 0
        self.long_gate.set()

    async def execute(self, *command: Argument) -> Any:
        """See Store."""
        if command[0] == "XRANGE":
            self.logs_read += 1
            await self._wait()
        return await super().execute(*command)

    async def transfer(self, *command: Argument) -> Any:
        """See Store."""
        if command[0] == "GETRANGE" and ":response:" in str(command[1]):
            await self._wait()
            if command[3] == CHUNK - 1:
                await self._wait_long()
        return await super().transfer(*command)

    async def _wait_long(self) -> None:
        if not self.long_gate.is_set():
            self.long_waiting += 1
            self.long_most = max(self.long_most, self.long_waiting)
            await self.long_gate.wait()
            self.long_waiting -= 1

    async def _wait(self) -> None:
        if not self.gate.is_set():
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            await self.gate.wait()
            self.waiting -= 1


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[HeldStore]:
    store = HeldStore(store_url)
    yield store
    await store.close()


@pytest.fixture
async def gateway(store: HeldStore) -> AsyncIterator[RunningGateway]:
    async with running(store, settings(trusted_proxies="127.0.0.1")) as gateway:
        yield gateway


async def ask(gateway: RunningGateway, **rest: Any) -> Any:
    response = await gateway.client.post("/v1/responses", json={"model": MODEL, "input": "hi", **rest})
    assert response.status_code == 200, response.text
    return response.json()["id"]


async def read(gateway: RunningGateway, way: str, id_: str, headers: dict[str, str] | None = None) -> int:
    """Return the status of what reads the response with that id."""
    client, answer = gateway.client, id_.removeprefix("resp_")
    body = {"model": MODEL, "input": "go on"}
    match way:
        case "answer":
            response = await client.get(f"/answers/{answer}", headers=headers)
        case "stream":
            response = await client.get(f"/answers/{answer}/stream", headers=headers)
        case "response":
            response = await client.get(f"/v1/responses/{id_}", headers=headers)
        case "items":
            response = await client.get(f"/v1/responses/{id_}/input_items", headers=headers)
        case "chain":
            response = await client.post("/v1/responses", json=body | {"previous_response_id": id_}, headers=headers)
        case _:
            reference = [{"type": "item_reference", "id": id_}, {"role": "user", "content": "go on"}]
            response = await client.post("/v1/responses", json=body | {"input": reference}, headers=headers)
    return response.status_code


@pytest.mark.parametrize(
    ("way", "most"), [("answer", 1), ("stream", 1), ("response", 1), ("items", OWN), ("chain", OWN), ("reference", 1)]
)
async def test_one_client_reads_an_answer_a_few_times_at_once(
    gateway: RunningGateway, store: HeldStore, way: str, most: int
) -> None:
    id_ = await ask(gateway)
    store.gate.clear()
    reading = [asyncio.create_task(read(gateway, way, id_)) for _ in range(COUNT)]
    await until(lambda: store.waiting == most)
    # All of them have come when these have.
    await asyncio.gather(*(gateway.client.get("/healthz") for _ in range(COUNT)))
    assert store.most == most
    store.gate.set()
    assert await asyncio.gather(*reading) == [200] * COUNT


@pytest.mark.parametrize("way", ["items", "chain"])
async def test_of_a_client_one_long_response_is_loaded_at_a_time(
    gateway: RunningGateway, store: HeldStore, way: str
) -> None:
    id_ = await ask(gateway, input="x" * 2 * LARGE)
    store.long_gate.clear()
    reading = [asyncio.create_task(read(gateway, way, id_)) for _ in range(OWN)]
    await until(lambda: store.long_waiting == 1)
    other = asyncio.create_task(read(gateway, way, id_, OTHER))
    await until(lambda: store.long_waiting == 2)
    assert store.long_most == 2
    store.long_gate.set()
    assert await asyncio.gather(*reading) == [200] * OWN
    # A conversation is its owner's alone.
    assert await other == (400 if way == "chain" else 200)
    assert store.long_most == 2


@pytest.mark.parametrize("way", ["answer", "response"])
async def test_of_a_client_one_long_answer_is_loaded_at_a_time(
    gateway: RunningGateway, store: HeldStore, way: str
) -> None:
    gateway.worker.scripts["hi"] = [Final("x" * LARGE)]
    ids = [await ask(gateway) for _ in range(OWN)]
    store.gate.clear()
    reading = [asyncio.create_task(read(gateway, way, id_)) for id_ in ids]
    await until(lambda: store.waiting == 1)
    other = asyncio.create_task(read(gateway, way, ids[-1], OTHER))
    await until(lambda: store.waiting == 2)
    assert store.most == 2
    store.gate.set()
    assert await asyncio.gather(*reading, other) == [200] * (OWN + 1)


@pytest.mark.parametrize("way", ["items", "chain"])
async def test_another_client_has_a_place_beside_it(gateway: RunningGateway, store: HeldStore, way: str) -> None:
    id_ = await ask(gateway)
    store.gate.clear()
    reading = [asyncio.create_task(read(gateway, way, id_)) for _ in range(COUNT)]
    await until(lambda: store.waiting == OWN)
    other = asyncio.create_task(read(gateway, way, id_, OTHER))
    await until(lambda: store.waiting == OWN + 1)
    store.gate.set()
    await asyncio.gather(*reading, other)


@pytest.mark.parametrize("way", ["/answers/{}", "/answers/{}/stream", "/v1/responses/resp_{}/input_items"])
async def test_who_hangs_up_waits_no_more(gateway: RunningGateway, store: HeldStore, way: str) -> None:
    answer = (await ask(gateway)).removeprefix("resp_")
    request = f"GET {way.format(answer)}?after=1 HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    store.gate.clear()
    for _ in range(COUNT):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(request)
        await until(lambda: gateway.active_requests.running == 1)
        writer.transport.abort()
        await until(lambda: gateway.active_requests.running == 0)
    store.gate.set()
    assert await read(gateway, "answer", answer) == 200


# More bytes than the kernel holds for a client that doesn't read.
PIECE, PIECES, BUFFER = "x" * 20_000, 50, 4096


async def test_a_socket_that_takes_nothing_resumes_a_few_answers_at_once(store: HeldStore) -> None:
    """What there is of each is held in memory until its client has taken it."""
    small = (*SOCKET_OPTIONS, ("SOL_SOCKET", "SO_SNDBUF", BUFFER))
    async with running(store, socket_options=small) as gateway:
        gateway.worker.scripts["hi"] = [*[Delta(PIECE)] * PIECES, Final(PIECE * PIECES)]
        answer = (await ask(gateway)).removeprefix("resp_")
        read_before = store.logs_read
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        connection.connect(("127.0.0.1", gateway.port))
        sent: dict[str, Any] = {"subprotocols": [SUBPROTOCOL], "max_queue": 1, "sock": connection, "max_size": None}
        async with gateway.socket("/ws_stream", **sent) as slow:
            # All are accepted before the first one's text fills the connection.
            store.gate.clear()
            for number in range(COUNT):
                await slow.send(json.dumps({"type": "resume", "id": str(number), "answer": answer, "after": 0}))
                assert json.loads(await slow.recv())["type"] == "accepted"
            store.gate.set()
            await until(lambda: store.logs_read == read_before + OWN)
            await asyncio.gather(*(gateway.client.get("/healthz") for _ in range(COUNT)))
            assert store.logs_read == read_before + OWN
            ended = 0
            while ended < COUNT:
                ended += json.loads(await slow.recv())["type"] == "final"
