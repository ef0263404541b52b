"""Large responses have room until their clients have taken them, and what is over waits, unmade."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import Timings
from gateway.errors import ClientGoneError
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.listener import SOCKET_OPTIONS
from gateway.http.response_room import ResponseRoom
from gateway.http.sse import AnswerStream
from gateway.legacy.frames import LegacyFrames
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.gateway.openai_client import MODEL
from wire.answer_reader import AnswerEvent
from wire.errors import ClientFullError
from wire.jobs import Client
from wire.messages import Delta, Final
from wire.pictures import PictureStore, StoredPicture, new_picture_id, picture_path
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.result_store import MAX_RESULT
from wire.threads import LARGE

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "0123456789abcdef"}
OTHER = {"x-forwarded-for": "192.0.2.2"}
# How many requests of one client come at once, and how many of them are made: half of 192 MiB.
COUNT = 30
OWN_RESULTS = 12
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(6 * 1024 * 1024)
OWN_PICTURES = 6
MEBIBYTE = 1024 * 1024


class CountedStore(Store):
    """A store that counts the answers whose bytes are read from their beginning."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.begun = 0

    async def transfer(self, *command: Argument) -> Any:
        """See Store."""
        if command[0] == "GETRANGE" and command[2] == 0:
            self.begun += 1
        return await super().transfer(*command)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[CountedStore]:
    store = CountedStore(store_url)
    yield store
    await store.close()


@pytest.fixture
async def gateway(store: CountedStore) -> AsyncIterator[RunningGateway]:
    async with running(store, settings(trusted_proxies="127.0.0.1")) as gateway:
        yield gateway


def made(size: int) -> Response:
    return Response(bytes(size), 201, {"x-other": "1"})


async def no_message() -> Message:
    raise AssertionError


async def serve(room: ResponseRoom, client: str, size: int, send: Any, receive: Receive = no_message) -> None:
    async with room.hold(Client(client)) as held:
        await held.take(size)
        response = held.respond(bytes(size))
    await response({"type": "http"}, receive, send)


async def test_a_large_response_arrives_in_pieces_with_its_length() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await serve(ResponseRoom(), "a", MEBIBYTE, send)
    assert (b"content-length", b"%d" % MEBIBYTE) in sent[0]["headers"]
    assert (b"content-type", b"application/json") in sent[0]["headers"]
    assert b"".join(message["body"] for message in sent[1:]) == bytes(MEBIBYTE)
    assert max(len(message["body"]) for message in sent[1:]) == 64 * 1024


async def test_who_takes_nothing_counts_as_gone_and_gives_the_room_back() -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    room, size = ResponseRoom(time_limit=0.01), 96 * MEBIBYTE
    async with room.hold(Client("a")) as held:
        await held.take(size)
        response = held.respond(bytes(LARGE + 1))
    with pytest.raises(ClientGoneError):
        await response({"type": "http"}, no_message, send)
    async with room.hold(Client("a")) as held:
        await held.take(2 * size)


def test_what_is_made_needs_room_beside_what_its_client_has_not_taken() -> None:
    room, half = ResponseRoom(), made(96 * MEBIBYTE)
    held = [room.admit(Client("a"), half)]
    with pytest.raises(ClientFullError):
        room.admit(Client("a"), made(LARGE + 1))
    small = made(LARGE)
    assert room.admit(Client("a"), small) is small
    # The first one of each, however large, and however much others have.
    held += [room.admit(Client("b"), half), room.admit(Client("c"), half)]


async def test_what_is_made_arrives_with_its_own_head_and_leaves_its_room() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    room, whole = ResponseRoom(), made(192 * MEBIBYTE)
    await room.admit(Client("a"), whole)({"type": "http"}, no_message, send)
    assert (sent[0]["status"], sent[0]["headers"]) == (201, whole.raw_headers)
    again = room.admit(Client("a"), whole)
    with pytest.raises(ClientFullError):
        room.admit(Client("a"), again)


async def test_an_error_before_the_response_gives_the_room_back() -> None:
    async def fail() -> None:
        async with room.hold(Client("a")) as held:
            await held.take(192 * MEBIBYTE)
            raise KeyError

    room = ResponseRoom()
    with pytest.raises(KeyError):
        await fail()
    async with room.hold(Client("b")) as held:
        await held.take(192 * MEBIBYTE)


async def send_unread(
    stack: AsyncExitStack, gateway: RunningGateway, path: str, body: bytes = b"", method: str = "POST"
) -> None:
    """Send the same request on many connections that are never read from."""
    loop = asyncio.get_running_loop()
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"idempotency-key: {KEY['Idempotency-Key']}\r\ncontent-length: {len(body)}\r\n\r\n"
    for _ in range(COUNT):
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", gateway.port))
        await loop.sock_sendall(connection, head.encode() + body)


async def let_all_come(gateway: RunningGateway) -> None:
    """Return once what was sent before has been read."""
    await asyncio.gather(*(gateway.client.get("/healthz") for _ in range(COUNT)))


async def test_unread_results_of_one_client_leave_room_for_others(gateway: RunningGateway, store: CountedStore) -> None:
    await gateway.announce("a", "embed", calls=("embeddings",))
    gateway.worker.results["embed"] = b"1" * MAX_RESULT
    gateway.worker.scripts["embed"] = [Final("", model="embed")]
    path, body = "/v1/embeddings", {"model": "embed", "input": "hi"}
    assert (await gateway.client.post(path, json=body, headers=KEY)).status_code == 200
    store.begun = 0
    async with AsyncExitStack() as stack:
        await send_unread(stack, gateway, path, json.dumps(body).encode())
        await until(lambda: store.begun == OWN_RESULTS)
        await let_all_come(gateway)
        assert store.begun == OWN_RESULTS
        other = await gateway.client.post(path, json=body, headers=OTHER)
        assert len(other.content) == MAX_RESULT


async def test_unread_pictures_of_one_client_leave_room_for_others(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, read = 0, PictureStore.read

    def counted(store: PictureStore, picture: StoredPicture) -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        return read(store, picture)

    id_ = new_picture_id()
    await PictureStore(gateway.store).write(id_, PICTURE, 60)
    gateway.worker.scripts["a cat"] = [Final("", images=(picture_path(id_),))]
    path, body = "/v1/images/generations", {"prompt": "a cat", "response_format": "b64_json"}
    assert (await gateway.client.post(path, json=body, headers=KEY)).status_code == 200
    monkeypatch.setattr(PictureStore, "read", counted)
    async with AsyncExitStack() as stack:
        await send_unread(stack, gateway, path, json.dumps(body).encode())
        await until(lambda: begun == OWN_PICTURES)
        await let_all_come(gateway)
        assert begun == OWN_PICTURES
        other = await gateway.client.post(path, json=body, headers=OTHER)
        assert other.json()["data"][0]["b64_json"] == base64.b64encode(PICTURE).decode()


# So that fewer than COUNT are half of 192 MiB.
TEXT = "x" * (4 * MEBIBYTE)


async def until_refused(gateway: RunningGateway, method: str, path: str, body: Any) -> httpx.Response:
    """Return the first refusal; what isn't refused is read to its end."""
    while True:
        response = await gateway.client.request(method, path, json=body, headers=KEY)
        if response.status_code != 200:
            return response


@pytest.mark.parametrize("way", ["chat", "text", "response", "message", "api", "answer", "kept", "items"])
async def test_unread_answers_of_one_client_are_no_more_than_its_share(gateway: RunningGateway, way: str) -> None:
    question = TEXT if way == "items" else "hi"
    gateway.worker.scripts[question] = [Final("yes" if way == "items" else TEXT)]
    asked = await gateway.client.post("/v1/responses", json={"model": MODEL, "input": question})
    id_ = asked.json()["id"]
    messages = [{"role": "user", "content": "hi"}]
    method, path, body = {
        "chat": ("POST", "/v1/chat/completions", {"model": MODEL, "messages": messages}),
        "text": ("POST", "/v1/completions", {"model": MODEL, "prompt": "hi"}),
        "response": ("POST", "/v1/responses", {"model": MODEL, "input": "hi"}),
        "message": ("POST", "/v1/messages", {"model": MODEL, "messages": messages, "max_tokens": 9}),
        "api": ("POST", "/api", {"question": "hi", "style": "balanced"}),
        "answer": ("GET", f"/answers/{id_.removeprefix('resp_')}", None),
        "kept": ("GET", f"/v1/responses/{id_}", None),
        "items": ("GET", f"/v1/responses/{id_}/input_items", None),
    }[way]
    assert (await gateway.client.request(method, path, json=body, headers=KEY)).status_code == 200
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        sent = json.dumps(body).encode() if body else b""
        await send_unread(stack, gateway, path, sent, method)
        refused = await until_refused(gateway, method, path, body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        other = await gateway.client.request(method, path, json=body, headers=OTHER)
        assert other.status_code == 200
        assert len(other.content) > len(TEXT)
    assert (await gateway.client.request(method, path, json=body, headers=KEY)).status_code == 200


async def stream_until_cut(gateway: RunningGateway, path: str) -> None:
    """Return once a stream has ended without its end; others are read to theirs."""
    while len((await gateway.client.get(path)).content) > len(TEXT):
        pass


async def test_unread_streams_of_one_client_are_no_more_than_its_share(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Final(TEXT)]
    asked = await gateway.client.post("/v1/responses", json={"model": MODEL, "input": "hi"})
    path = f"/answers/{asked.json()['id'].removeprefix('resp_')}/stream"
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        await send_unread(stack, gateway, path, method="GET")
        await stream_until_cut(gateway, path)
        other = await gateway.client.get(path, headers=OTHER)
        assert len(other.content) > len(TEXT)
    assert len((await gateway.client.get(path)).content) > len(TEXT)


async def test_unread_streams_under_v1_end_with_the_limit_as_their_error(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Final(TEXT)]
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": MODEL, "messages": messages, "stream": True}
    path = "/v1/chat/completions"
    assert (await gateway.client.post(path, json=body, headers=KEY)).status_code == 200
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        await send_unread(stack, gateway, path, json.dumps(body).encode())
        while len(refused := (await gateway.client.post(path, json=body, headers=KEY)).content) > len(TEXT):
            pass
        assert b"rate_limit" in refused


async def test_a_large_event_is_one_chunk_and_gives_its_room_back_when_it_is_not_taken() -> None:
    """Neither a ping nor an error is a part of that event."""
    sent: list[bytes] = []

    class Entries:
        answer = "s0-a"

        async def __aiter__(self) -> AsyncIterator[AnswerEvent]:
            yield AnswerEvent(1, Delta("x" * 3 * LARGE))
            yield AnswerEvent(2, Final("x" * 3 * LARGE))

    @asynccontextmanager
    async def follow() -> AsyncIterator[Any]:
        yield Entries()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])
            if len(sent) > 2:
                await asyncio.Event().wait()

    frames, room = LegacyFrames("t", reconnects=True), ResponseRoom()
    stream = AnswerStream(
        ActiveRequests(timer_resolution=0.01),
        0.2,
        follow(),
        "s0-a",
        frames,
        room.frames(Client("a")),
        event_source=True,
        timings=Timings(sse_ping_every=0.01, last_send_limit=0.01),
    )
    async with asyncio.timeout(5):
        await stream({"type": "http", "state": {"error_metrics": ErrorMetrics()}}, never_leaves, send)
    _, event, *others = sent
    assert event.count(b"x") == 3 * LARGE
    assert event.endswith(b"\n\n")
    assert all(len(other) < LARGE for other in others)
    async with room.hold(Client("a")) as held:
        await held.take(192 * MEBIBYTE)


async def never_leaves() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


SMALL = (*SOCKET_OPTIONS, ("SOL_SOCKET", "SO_SNDBUF", 4096))


async def test_unread_answers_on_sockets_of_one_client_are_no_more_than_its_share(store: CountedStore) -> None:
    # As they end one by one, the first ones would leave no room in Redis for the questions of the last ones.
    config = settings(trusted_proxies="127.0.0.1", store_bytes=2**30)
    async with running(store, config, socket_options=SMALL) as gateway, AsyncExitStack() as stack:
        gateway.worker.scripts["hi"] = [Final(TEXT)]
        question = json.dumps({"style": "balanced", "question": "hi"})
        for _ in range(COUNT):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", gateway.port))
            sent: dict[str, Any] = {"max_queue": 1, "sock": connection, "max_size": None, "close_timeout": 0.1}
            slow = await stack.enter_async_context(gateway.socket("/ws", **sent))
            slow.transport.pause_reading()
            await slow.send(question)
        await until(lambda: len(gateway.worker.asked) == COUNT)
        async with asyncio.timeout(30), gateway.socket("/ws", max_size=None) as own:
            answer = ""
            while not answer or len(answer) > len(TEXT):
                await own.send(question)
                answer = str(await own.recv())
            assert json.loads(answer)["code"] == 429
            other = gateway.socket("/ws", max_size=None, additional_headers=OTHER)
            async with other as socket_of_other:
                await socket_of_other.send(question)
                assert len(await socket_of_other.recv()) > len(TEXT)
