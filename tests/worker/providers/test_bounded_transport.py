"""A response is read up to its limit, and no further, whatever it is compressed to."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from worker.errors import UpstreamError
from worker.providers.bounded_transport import BoundedTransport

pytestmark = pytest.mark.anyio

LIMIT = 100_000
GZIP = {"content-encoding": "gzip"}


async def read(body: bytes | AsyncIterator[bytes], headers: dict[str, str], status: int = 200) -> httpx.Response:
    """Return the response to a request, its body read."""
    content = once(body) if isinstance(body, bytes) else body
    answer = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, content=content))
    async with httpx.AsyncClient(transport=BoundedTransport(answer, LIMIT)) as client:
        return await client.get("http://127.0.0.1/")


async def once(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def endless(chunk: bytes) -> AsyncIterator[bytes]:
    while True:
        yield chunk


async def endless_gzip() -> AsyncIterator[bytes]:
    compressor = zlib.compressobj(wbits=31)
    while True:
        yield compressor.compress(bytes(1 << 20))


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_within_the_limit_is_whole(size: int) -> None:
    plain = b"x" * size
    assert (await read(plain, {})).content == plain
    assert (await read(gzip.compress(plain), GZIP)).content == plain
    assert (await read(zlib.compress(plain), {"content-encoding": "deflate"})).content == plain


async def test_what_else_a_response_has_remains() -> None:
    response = await read(b"{}", {"content-type": "application/json", "x-sydney-a": "b", "set-cookie": "a=b"}, 302)
    assert (response.status_code, response.headers["x-sydney-a"]) == (302, "b")
    assert (response.json(), response.cookies["a"]) == ({}, "b")


async def test_a_body_without_an_end_is_left_at_the_limit() -> None:
    for body, headers in (
        (endless(b"x" * 1000), {}),
        (endless_gzip(), GZIP),
        (endless_gzip(), {}),
    ):
        with pytest.raises(UpstreamError) as caught:
            await read(body, headers)
        assert (caught.value.reason, caught.value.refused) == ("transport.toobig", False)


async def test_one_byte_above_the_limit_is_too_much() -> None:
    with pytest.raises(UpstreamError):
        await read(b"x" * (LIMIT + 1), {})


async def test_a_small_body_that_becomes_a_large_one_costs_no_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000), 1)
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamError):
            await read(bomb, GZIP)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 + len(bomb)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("charset", ["zip", "bz2", "hex", "nothing-known"])
async def test_a_charset_that_decompresses_is_not_used(charset: str) -> None:
    response = await read(zlib.compress(bytes(1000)), {"content-type": f"text/html; charset={charset}"})
    assert len(response.text) < 100


async def test_thousands_of_tiny_pieces_count_as_more_than_they_have() -> None:
    read_pieces = 0

    async def tiny() -> AsyncIterator[bytes]:
        nonlocal read_pieces
        while True:
            read_pieces += 1
            yield b"x"

    with pytest.raises(UpstreamError):
        await read(tiny(), {})
    assert read_pieces < LIMIT // 100
