import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from tests.support.worker.openai_server import chunk, events, whole
from wire.blocks import Piece
from wire.reasons import Reason
from wire.threads import LARGE
from worker.errors import UpstreamError
from worker.providers import Growth
from worker.providers.openai import growths as growths_module
from worker.providers.openai.growths import MOST_IDLE, MOST_MARKS, read_growths
from worker.providers.openai.stream import CompletionStream

pytestmark = pytest.mark.anyio


async def read(body: bytes) -> list[Growth]:
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=httpx.ByteStream(body))
    async with aclosing(read_growths(response, CompletionStream())) as growths:
        return [growth async for growth in growths]


async def test_all_that_arrives_is_a_growth() -> None:
    assert await read(b": hi\n\n") == [Growth()]
    assert await read(whole("hello")) == [Growth((Piece(0, "text", "hello"),))]


async def test_what_came_before_a_failure_is_yielded_first() -> None:
    body = events(chunk("a"), {"error": {"message": "no"}})
    response = httpx.Response(200, stream=httpx.ByteStream(body))
    growths = read_growths(response, CompletionStream())
    assert await anext(growths) == Growth((Piece(0, "text", "a"),))
    with pytest.raises(UpstreamError) as caught:
        await anext(growths)
    assert caught.value.reason == Reason.UPSTREAM_INTERNAL


class EndlessResponse:
    """A response that is there all at once, so that reading it never waits."""

    def __init__(self, start: bytes, part: bytes) -> None:
        self.headers = {"content-type": "text/event-stream"}
        self._parts = itertools.chain([start], itertools.repeat(part))

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


@pytest.mark.parametrize("part", [b":\n\n" * 20_000, b":\n\n" * 200])
async def test_reading_what_has_arrived_leaves_others_their_turn(part: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growths_module, "MOST_IDLE", 1_000_000)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.ensure_future(take_turns())
    async with aclosing(read_growths(EndlessResponse(b"", part), CompletionStream())) as growths:
        for _ in range(1000):
            await anext(growths)
    others.cancel()
    assert turns > 90


@pytest.mark.parametrize("part", [b":\n\n", b"data: {}\n\n"])
async def test_a_response_that_brings_no_answer_for_ever_is_cut_off(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growths_module, "MOST_BESIDE", 100_000)
    with pytest.raises(UpstreamError) as caught:
        [growth async for growth in read_growths(EndlessResponse(b"", part * 1000), CompletionStream())]
    assert caught.value.reason == Reason.TRANSPORT_TOO_BIG


class CountedStream(CompletionStream):
    """An answer that counts what is read, all together and since `count` was last set to 0."""

    def __init__(self) -> None:
        super().__init__()
        self.count = self.total = 0

    def read(self, data: str) -> None:
        self.count, self.total = self.count + 1, self.total + 1
        super().read(data)


TINY = [
    ("text/event-stream", b"data: {}\n\n", b"{}\n"),
    ("text/event-stream", b"data: {}\n\n", b"data: {}\n\n"),
    ("text/event-stream", b"data: {}\n\n", b"data:{}\r\n\r\n"),
    ("application/json", b"{}", b"{}"),
    ("application/json", b" ", b"{}\n"),
]


@pytest.mark.parametrize(("label", "start", "event"), TINY)
@pytest.mark.parametrize("times", [10, 10_000])
async def test_tiny_events_leave_others_their_turn_and_are_so_many_at_most(
    label: str, start: bytes, event: bytes, times: int
) -> None:
    answer, response, most = CountedStream(), EndlessResponse(start, event * times), 0
    response.headers["content-type"] = label

    async def take_turns() -> None:
        nonlocal most
        while True:
            most, answer.count = max(most, answer.count), 0
            await asyncio.sleep(0)

    others = asyncio.ensure_future(take_turns())
    with pytest.raises(UpstreamError) as caught:
        [growth async for growth in read_growths(response, answer)]
    others.cancel()
    assert caught.value.reason == Reason.TRANSPORT_TOO_BIG
    assert 0 < most <= 2 * MOST_MARKS
    assert MOST_IDLE // 2 <= answer.total <= MOST_IDLE + MOST_MARKS


@pytest.mark.parametrize(
    "start", [b"", b"id: 1\nevent: result\n:status\nretry: 1\n", b"id: 1\r\nevent: result\r\n:status\r\nretry: 1\r\n"]
)
async def test_lines_of_events_that_bring_text_are_not_limited(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growths_module, "MOST_IDLE", 150)
    growths = await read(b"".join(start + events(chunk("a")) for _ in range(500)) + whole("b"))
    assert "".join(piece.text for growth in growths for piece in growth.pieces) == "a" * 500 + "b"


async def test_comments_and_empty_events_may_come_each_second_for_an_hour() -> None:
    growths = await read((b": ping\n\n" + events({"choices": []})) * 3600 + whole("b"))
    assert growths[-1].pieces == (Piece(0, "text", "b"),)


async def test_an_answer_in_large_frames_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growths_module, "MOST_BESIDE", 1000)
    body = events(*(chunk("a", obfuscation="x" * 500) for _ in range(100))) + whole("b")
    text = "".join(piece.text for growth in await read(body) for piece in growth.pieces)
    assert text == "a" * 100 + "b"


class NotedStream(CompletionStream):
    """An answer that notes by which threads it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []

    def read(self, data: str) -> None:
        self.threads.append(threading.current_thread())
        super().read(data)


@pytest.mark.parametrize("label", ["text/event-stream", "application/json"])
@pytest.mark.parametrize(("size", "apart"), [(LARGE - 1000, False), (LARGE + 1, True)])
async def test_large_events_and_documents_are_read_beside_the_event_loop(label: str, size: int, apart: bool) -> None:
    sent = chunk("a", "stop") | {"x": "y" * size}
    body = events(sent) if label == "text/event-stream" else json.dumps(sent).encode()
    response = httpx.Response(200, headers={"content-type": label}, stream=httpx.ByteStream(body))
    answer = NotedStream()
    async with aclosing(read_growths(response, answer)) as growths:
        [growth async for growth in growths]
    assert answer.text == "a"
    assert [thread is not threading.main_thread() for thread in answer.threads] == [apart]
