"""Each shape's bytes are on the connection as the table has them."""

import asyncio
import json

import pytest

from emulator.openai.shapes import UpstreamShape, load_shapes
from emulator.server import Emulator

pytestmark = pytest.mark.anyio

SHAPES = {shape.name: (number, shape) for number, shape in enumerate(load_shapes())}


async def fetch(emulator: Emulator, number: int) -> bytes:
    """Return all that a question gets, up to the end of the connection."""
    body = json.dumps({"model": "stand-in", "messages": [{"role": "user", "content": f"!shape={number} hi"}]}).encode()
    host, _, port = emulator.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "name", ["done-without-finish-reason", "finish-reason-then-cut", "completion-as-nothing", "crlf"]
)
async def test_a_shape_is_sent_as_it_is(upstream: Emulator, name: str) -> None:
    number, shape = SHAPES[name]
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in shape.pieces() if isinstance(piece, bytes))
    assert await fetch(upstream, number) == shape.head + body + (b"" if shape.end == "cut" else b"0\r\n\r\n")
    assert [turn.scripted for turn in upstream.ledger.turns] == [name]


def test_writes_are_cut_where_the_row_says_so() -> None:
    assert UpstreamShape("a", "b", None, ("abc", 0.5, "d"), cut=2).pieces() == [b"ab", b"c", 0.5, b"d"]
