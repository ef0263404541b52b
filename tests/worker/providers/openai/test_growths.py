from contextlib import aclosing

import httpx
import pytest

from tests.support.worker.openai_server import chunk, events, whole
from wire.blocks import Piece
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Growth
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
