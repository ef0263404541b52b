import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from worker.providers.content_encoding import decode_body

pytestmark = pytest.mark.anyio

PLAIN = b"data: hello\n\n" * 50


def deflate(data: bytes, bits: int) -> bytes:
    compressor = zlib.compressobj(wbits=bits)
    return compressor.compress(data) + compressor.flush()


async def read(body: bytes, label: str | None, step: int = 1 << 20) -> list[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    headers = {} if label is None else {"Content-Encoding": label}
    return [piece async for piece in decode_body(httpx.Response(200, headers=headers, content=pieces()))]


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("body", "label"),
    [
        (gzip.compress(PLAIN, mtime=0), "gzip"),
        (gzip.compress(PLAIN, mtime=0), "x-gzip"),
        (gzip.compress(PLAIN, mtime=0), None),
        (zlib.compress(PLAIN), "deflate"),
        (deflate(PLAIN, -15), "Deflate"),
        (PLAIN, "gzip"),
        (PLAIN, "deflate"),
        (PLAIN, "Identity"),
        (PLAIN, ""),
        (PLAIN, None),
    ],
)
async def test_a_body_is_decoded_whatever_its_label_says(body: bytes, label: str | None, step: int) -> None:
    assert b"".join(await read(body, label, step)) == PLAIN


@pytest.mark.parametrize("body", [b"", b"a"])
async def test_a_short_body_is_whole(body: bytes) -> None:
    assert b"".join(await read(body, "gzip")) == body


async def test_what_is_flushed_arrives_at_once() -> None:
    compressor = zlib.compressobj(wbits=31)
    first = compressor.compress(PLAIN) + compressor.flush(zlib.Z_SYNC_FLUSH)
    rest = compressor.compress(b"end") + compressor.flush()
    pieces = [first, rest]

    async def body() -> AsyncIterator[bytes]:
        while pieces:
            yield pieces.pop(0)

    decoded = decode_body(httpx.Response(200, content=body()))
    assert await anext(decoded) == PLAIN
    assert pieces == [rest]
    assert [piece async for piece in decoded] == [b"end"]


async def test_pieces_stay_small_however_much_they_hold() -> None:
    pieces = await read(gzip.compress(b"x" * 5_000_000, mtime=0), "gzip")
    assert (max(map(len, pieces)), sum(map(len, pieces))) == (64 * 1024, 5_000_000)


async def test_nothing_behind_the_end_is_kept() -> None:
    body = gzip.compress(PLAIN) + bytes(4_000_000)
    tracemalloc.start()
    try:
        assert await read(body, "gzip", 4_000) == [PLAIN]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_a_broken_body_is_an_error() -> None:
    broken = bytearray(gzip.compress(bytes(itertools.islice(itertools.cycle(range(256)), 5000))))
    broken[12:40] = b"\xff" * 28
    with pytest.raises(httpx.DecodingError):
        await read(bytes(broken), "gzip")
