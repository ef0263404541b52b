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
from worker.providers.openai.growths import read_growths
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
async def test_reading_what_has_arrived_leaves_others_their_turn(part: bytes) -> None:
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
