"""A request's body, within its limits; what its endpoints make of these is in their own tests."""

import asyncio
import json
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from gateway.answering.drain import ActiveRequests
from gateway.auth.clients import Clients
from gateway.errors import BodyEncodingError, DrainingError
from gateway.http.body import MOST_WAITING, BodyReader, BodyRoom, linger
from gateway.http.long_steps import LongSteps
from tests.support.conditions import until
from tests.support.gateway.harness import running, settings
from tests.support.gateway.key_file import ASK, QUICK, asking, write
from tests.support.gateway.slow_body import slow_body
from wire.errors import ClientFullError
from wire.redis.store import Store
from wire.threads import LARGE

pytestmark = pytest.mark.anyio


def request(chunks: Sequence[bytes], *headers: tuple[bytes, bytes], ended: bool = True) -> Request:
    left = list(chunks)

    async def receive() -> Message:
        if not left and not ended:
            await asyncio.Event().wait()
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left) or not ended}

    state = {"active_requests": ActiveRequests(), "turn": partial(LongSteps().wait, "client")}
    scope = {"type": "http", "method": "POST", "headers": list(headers), "state": state}
    return Request(scope, receive)


@pytest.mark.parametrize(("size", "apart"), [(LARGE, False), (LARGE + 1, True)])
async def test_a_large_body_is_parsed_beside_the_event_loop(size: int, apart: bool) -> None:
    sent, here = request([b"x" * size]), threading.get_ident()
    parsed = await BodyReader(2**20).parse(sent, lambda body: (len(body), threading.get_ident() != here))
    assert parsed == (size, apart)


@pytest.mark.parametrize("announced", [True, False])
async def test_large_bodies_wait_until_there_is_room_and_small_ones_do_not(announced: bool) -> None:
    room = BodyRoom(4 * LARGE)
    reader = BodyReader(3 * LARGE, time_limit=0.01, room=room)
    headers = [(b"content-length", b"%d" % (2 * LARGE))] if announced else []
    async with room.take("other", 2 * LARGE):
        small = request([b"x"], (b"content-length", b"1"))
        assert await reader.read(small) == b"x"
        large = reader.read(request([b"x" * 2 * LARGE], *headers))
        if announced:
            assert len(await large) == 2 * LARGE
        else:
            with pytest.raises(HTTPException) as caught:
                await large
            assert caught.value.status_code == 408
    assert len(await reader.read(request([b"x" * 2 * LARGE], *headers))) == 2 * LARGE


async def test_a_client_leaves_as_much_room_as_it_takes() -> None:
    room, gate, held = BodyRoom(8), asyncio.Event(), list[str]()

    async def hold(client: str, size: int) -> None:
        async with room.take(client, size):
            held.append(client)
            await gate.wait()

    tasks = [asyncio.create_task(hold(*wanted)) for wanted in (("a", 3), ("a", 3), ("b", 3), ("c", 3))]
    await until(lambda: held == ["a", "b"])
    tasks[1].cancel()
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert held == ["a", "b", "c"]
    async with asyncio.timeout(1), room.take("a", 8):
        pass


async def test_so_much_of_a_client_may_wait_for_room_and_others_wait_beside_it() -> None:
    room, waiting = BodyRoom(1), list[asyncio.Task[None]]()

    async def take(client: str) -> None:
        async with room.take(client, 1):
            pass

    async with room.take("holder", 1):
        waiting += [asyncio.create_task(take("a")) for _ in range(MOST_WAITING + 1)]
        waiting.append(asyncio.create_task(take("b")))
        await until(lambda: waiting[MOST_WAITING].done())
        assert isinstance(waiting[MOST_WAITING].exception(), ClientFullError)
        # Who gives up waits no more.
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        waiting.append(asyncio.create_task(take("a")))
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended if end] == [asyncio.CancelledError, ClientFullError]
    assert not room._room.count_waiting("a")


async def test_of_a_client_one_large_body_is_parsed_at_a_time_beside_those_of_others() -> None:
    gate, begun, size = threading.Event(), list[bytes](), LARGE + 1
    reader = BodyReader(size, room=BodyRoom(16 * size), clients=Clients())

    def parse(body: bytes) -> int:
        begun.append(body[:1])
        gate.wait(10)
        return len(body)

    def sent(name: bytes, address: str) -> Request:
        large = request([name * size])
        large.scope["client"] = (address, 1)
        return large

    try:
        parsing = [asyncio.create_task(reader.parse(sent(b"a", "203.0.113.1"), parse)) for _ in range(3)]
        await until(lambda: begun == [b"a"])
        parsing.append(asyncio.create_task(reader.parse(sent(b"b", "203.0.113.2"), parse)))
        await until(lambda: begun == [b"a", b"b"])
    finally:
        gate.set()
    assert await asyncio.gather(*parsing) == [size] * 4


async def test_a_body_may_take_its_time_as_long_as_it_comes() -> None:
    pause, chunks = 0.3, [b"x" * 32 * 1024] * 5
    sent = request(chunks)
    receive = sent._receive

    async def receive_slowly() -> Message:
        await asyncio.sleep(pause)
        return await receive()

    sent._receive = receive_slowly
    assert len(await BodyReader(2**20, time_limit=4.5 * pause).read(sent)) == 5 * 32 * 1024


async def test_a_body_is_read_whole() -> None:
    assert await BodyReader(4).read(request([b"ab", b"cd"])) == b"abcd"


@pytest.mark.parametrize("sent", [request([b"ab", b"cde"]), request([], (b"content-length", b"5"))])
async def test_a_body_that_is_too_large_is_not_read_on(sent: Request) -> None:
    with pytest.raises(HTTPException) as caught:
        await BodyReader(4).read(sent)
    assert caught.value.status_code == 413


async def test_a_body_that_does_not_come_is_given_up() -> None:
    with pytest.raises(HTTPException) as caught:
        await BodyReader(4, time_limit=0.01).read(request([b"a"], ended=False))
    assert caught.value.status_code == 408


async def test_a_body_that_has_not_come_when_the_process_ends_is_refused() -> None:
    sent = request([b"a"], ended=False)
    active_requests: ActiveRequests = sent.state.active_requests
    reading = asyncio.create_task(BodyReader(4).read(sent))
    await until(lambda: bool(active_requests._reading), "it is read")
    active_requests.stop_reading()
    with pytest.raises(DrainingError):
        await reading
    assert not active_requests._reading


async def refused(status: int, body: Sequence[bytes], *, ended: bool) -> list[Message]:
    """Return what is sent and received for a request that is refused, in order."""
    messages: list[Message] = []
    coming = request(body, ended=ended)

    async def receive() -> Message:
        messages.append(await coming.receive())
        return messages[-1]

    async def send(message: Message) -> None:
        messages.append(message)

    refusal = linger(Response(b"refused", status), time_limit=30.0 if ended else 0.01)
    await refusal(coming.scope, receive, send)
    return messages


@pytest.mark.parametrize("status", [413, 415])
async def test_behind_the_refusal_of_a_body_that_was_not_read_it_is_read(status: int) -> None:
    start, whole, *rest, end = await refused(status, [b"a", b"b"], ended=True)
    assert (start["status"], whole["body"], whole["more_body"]) == (status, b"refused", True)
    assert [message["body"] for message in rest] == [b"a", b"b"]
    assert end == {"type": "http.response.body", "body": b""}


async def test_a_body_without_end_is_not_read_on_for_long() -> None:
    assert (await refused(413, [b"a"], ended=False))[-1] == {"type": "http.response.body", "body": b""}


async def test_behind_other_refusals_nothing_is_read() -> None:
    assert [message["type"] for message in await refused(400, [b"a"], ended=True)] == [
        "http.response.start",
        "http.response.body",
    ]


@pytest.mark.parametrize("encodings", [("gzip",), ("br",), ("identity, deflate",), ("identity", "ZSTD"), ("x" * 1000,)])
async def test_a_body_in_another_encoding_is_refused_by_name_unread(encodings: Sequence[str]) -> None:
    headers = [(b"content-encoding", encoding.encode()) for encoding in encodings]
    with pytest.raises(BodyEncodingError) as caught:
        await BodyReader(100).read(request([b"{}"], *headers, ended=False))
    assert caught.value.encoding == ", ".join(encodings)[:64]


@pytest.mark.parametrize("encoding", [b"", b"identity", b"Identity, identity"])
async def test_a_body_that_is_sent_as_it_is_is_read(encoding: bytes) -> None:
    assert await BodyReader(100).read(request([b"{}"], (b"content-encoding", encoding))) == b"{}"


@pytest.mark.parametrize(("size", "others_wait"), [(LARGE + 1, True), (LARGE, False)])
async def test_a_clients_next_large_body_waits_until_the_one_before_is_done_with(size: int, others_wait: bool) -> None:
    """What is made of one takes ten times its bytes."""
    reader = BodyReader(LARGE + 1, room=BodyRoom(16 * LARGE), clients=Clients())
    begun = list[str]()

    def sent(address: str) -> Request:
        body = request([b"x" * size], (b"content-length", b"%d" % size))
        body.scope["client"] = (address, 1)
        return body

    async def use(name: str, address: str, until_done: asyncio.Event) -> None:
        async with reader.parsed(sent(address), len):
            begun.append(name)
            await until_done.wait()

    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(use("one", "203.0.113.1", done))
        await until(lambda: begun == ["one"])
        group.create_task(use("its next", "203.0.113.1", done))
        group.create_task(use("another's", "203.0.113.2", done))
        await until(lambda: "another's" in begun)
        assert ("its next" not in begun) is others_wait
        done.set()
    assert len(begun) == 3


async def test_a_key_that_is_removed_before_the_body_has_come_asks_nothing(store: Store, tmp_path: Path) -> None:
    file, body = write(tmp_path / "keys", "alice", "bob"), json.dumps(ASK).encode()
    async with running(store, settings(api_keys_file=file), timings=QUICK) as gateway:
        headers = "X-API-Key: alice", "Content-Type: application/json"
        async with slow_body(gateway, "/api", body, *headers) as listed:
            assert b" 200 " in await listed.finish()
        async with slow_body(gateway, "/api", body, *headers) as removed:
            write(file, "bob")
            await until(asking(gateway, "alice", 401))
            assert b" 401 " in await removed.finish()
    assert len(gateway.worker.asked) == 1
