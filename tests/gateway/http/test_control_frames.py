"""Pings, pongs and parts of messages: what they take from others, and that none is lost."""

import asyncio

import pytest

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.http.control_frames import ROUND, FrameTurns, take_turns
from gateway.http.streaming import SocketProtocol
from gateway.server import config
from tests.support.conditions import until
from tests.support.gateway.connection import HANDSHAKE, ServerTransport, connected
from tests.support.gateway.harness import settings
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

MANY = 1000
PING, PONG, PART, MESSAGE, CLOSE = (
    bytes([first, 0x80 + len(data), 0, 0, 0, 0]) + data
    for first, data in ((0x89, b"p"), (0x8A, b"p"), (0x01, b"x"), (0x81, b"x"), (0x88, b"\x03\xe8"))
)
MORE = b"\x00" + PART[1:]
ANSWER = b"\x8a\x01p"


async def opened(sockets: type[asyncio.Protocol] | None = None) -> tuple[FrameTurns, ServerTransport]:
    """Return a socket whose handshake is over, and its transport."""
    protocol, transport = connected(sockets=sockets or take_turns(SocketProtocol))
    protocol.data_received(HANDSHAKE)
    await until(lambda: transport.written.endswith(b"\r\n\r\n"))
    reader = transport.get_protocol()
    assert isinstance(reader, FrameTurns)
    assert isinstance(reader, SocketProtocol)
    return reader, transport


def note_frames(monkeypatch: pytest.MonkeyPatch) -> list[FrameTurns]:
    """Return a list that gets the socket of each frame that is handled."""
    handled: list[FrameTurns] = []
    count = FrameTurns._count

    def counting(reader: FrameTurns) -> None:
        handled.append(reader)
        count(reader)

    monkeypatch.setattr(FrameTurns, "_count", counting)
    return handled


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_gateways_sockets_take_turns(store: Store) -> None:
    own = settings()
    loaded = config(create_app(own, store, ActiveRequests()), own)
    loaded.load()
    assert loaded.ws_protocol_class is not None
    assert issubclass(loaded.ws_protocol_class, FrameTurns)


async def test_pings_of_a_client_that_takes_nothing_are_not_answered_one_by_one() -> None:
    reader, transport = await opened()
    before = len(transport.written)
    reader.pause_writing()
    reader.data_received(PING * MANY + PING[:-1] + b"q" + MESSAGE)
    assert await reader.receive() == {"type": "websocket.receive", "text": "x"}
    assert len(transport.written) == before
    reader.resume_writing()
    assert transport.written[before:] == b"\x8a\x01q"
    reader.pause_writing()
    reader.resume_writing()
    assert transport.written[before:] == b"\x8a\x01q"


async def test_all_pings_of_a_client_that_takes_its_answers_are_answered() -> None:
    reader, transport = await opened()
    reader.data_received(PING * MANY)
    await until(lambda: transport.written.count(ANSWER) == MANY)


@pytest.mark.parametrize("frames", [PING * MANY, PONG * MANY, PART + MORE * MANY])
async def test_others_have_their_turn_between_many_frames(frames: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, _ = await opened()
    handled = note_frames(monkeypatch)
    reader.data_received(frames)
    assert 0 < len(handled) < MANY / 10
    await until(lambda: len(handled) >= MANY)


@pytest.mark.parametrize("frame", [PING, PONG, MORE])
async def test_the_few_frames_of_many_sockets_share_the_rounds_of_the_loop(
    frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = take_turns(SocketProtocol)
    readers = [(await opened(sockets))[0] for _ in range(50)]
    handled = note_frames(monkeypatch)
    for reader in readers:
        reader.data_received(PART + frame * (ROUND - 2))
    assert len(handled) < 50 + ROUND
    rounds = 0
    while len(handled) < 50 * (ROUND - 1):
        before = len(handled)
        await asyncio.sleep(0)
        rounds += 1
        assert len(handled) - before <= ROUND
    assert rounds > 50 * (ROUND - 1) / ROUND - 10


async def test_the_messages_of_many_sockets_share_the_rounds_of_the_loop() -> None:
    sockets = take_turns(SocketProtocol)
    readers = [(await opened(sockets))[0] for _ in range(50)]
    for reader in readers:
        reader.data_received(MESSAGE * 2)
    for reader in readers:
        await reader.receive()
    taken = sum(not reader.queue.empty() for reader in readers)
    assert taken < ROUND / 2
    for reader in readers:
        async with asyncio.timeout(60):
            await reader.receive()


async def test_no_later_round_takes_a_message_of_each_of_many_sockets() -> None:
    sockets = take_turns(SocketProtocol)
    readers = [(await opened(sockets))[0] for _ in range(50)]
    taken: list[FrameTurns] = []

    async def take(reader: FrameTurns) -> None:
        for _ in range(10):
            await reader.receive()
            taken.append(reader)

    for reader in readers:
        reader.data_received(MESSAGE * 10)
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(take(reader))
        while len(taken) < 500:
            before = len(taken)
            await asyncio.sleep(0)
            # What a read has brought is taken at once.
            assert before < 50 or len(taken) - before <= ROUND / 2


async def test_the_answers_to_pings_that_came_together_leave_together(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, transport = await opened()
    writes: list[bytes] = []
    monkeypatch.setattr(transport, "write", lambda data: writes.append(bytes(data)))
    reader.data_received(PING * 10)
    assert writes == [ANSWER * 10]
    reader.data_received(PING * 2 + CLOSE + PING)
    await until(lambda: transport.closed)
    assert writes[1] == ANSWER * 2
    assert writes[2].startswith(b"\x88")
    assert ANSWER not in b"".join(writes[2:])


async def test_what_follows_many_frames_comes_in_its_order() -> None:
    reader, transport = await opened()
    reader.data_received(PING * MANY + MESSAGE + PONG * MANY + PART + MORE * MANY + b"\x80" + PART[1:] + CLOSE)
    messages = [await reader.receive() for _ in range(3)]
    assert [message.get("text") for message in messages] == ["x", "x" * (MANY + 2), None]
    assert messages[2]["type"] == "websocket.disconnect"
    assert transport.written.count(ANSWER) == MANY
    assert transport.closed


async def test_a_closed_socket_has_no_more_turns() -> None:
    reader, transport = await opened()
    reader.pause_writing()
    reader.data_received(PING * MANY)
    transport.close()
    written = transport.written
    reader.resume_writing()
    reader.connection_lost(None)
    assert (await reader.receive())["type"] == "websocket.disconnect"
    assert transport.written == written
