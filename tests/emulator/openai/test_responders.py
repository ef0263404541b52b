import asyncio
import json
from urllib.parse import urlsplit

import pytest

from emulator.server import Emulator
from tests.support.emulator.openai_client import OpenaiClient

pytestmark = pytest.mark.anyio


async def portions(upstream: Emulator, text: str) -> list[bytes]:
    """Return the portions of a stream as HTTP has them: one for each write."""
    body = {"model": "stand-in", "stream": True, "messages": [{"role": "user", "content": text}]}
    data = json.dumps(body).encode()
    address = urlsplit(upstream.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    await reader.readuntil(b"\r\n\r\n")
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    writer.close()
    await writer.wait_closed()
    return chunks


async def test_an_event_is_a_write(upstream: Emulator) -> None:
    chunks = await portions(upstream, "tell me")
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in chunks)
    assert [chunk.count(b"data: ") for chunk in chunks[:-1]] == [1] * (len(chunks) - 1)


async def test_several_events_in_one_write(upstream: Emulator) -> None:
    chunks = await portions(upstream, "tell me !batch")
    assert {chunk.count(b"data: ") for chunk in chunks[:-1]} == {4}


async def test_writes_that_cut_events_and_characters(upstream: Emulator) -> None:
    chunks = await portions(upstream, "你好 !split-record")
    assert max(map(len, chunks)) == 7
    whole = b"".join(chunks)
    offset, cut = 0, 0
    for chunk in chunks[:-1]:
        offset += len(chunk)
        cut += (whole[offset] & 0xC0) == 0x80  # a byte that continues a character
    assert cut > 0
    assert "你好" in whole.decode()


async def test_without_a_stream_text_counts_as_sent_only_with_the_completion(
    asker: OpenaiClient, upstream: Emulator
) -> None:
    await asker.ask("tell me", stream=False)
    await asker.ask("tell me !throttled-after-text", stream=False)
    assert [turn.length > 0 for turn in upstream.ledger.turns] == [True, False]
    assert upstream.ledger.turns[0].deltas > 10


async def test_the_ledger_knows_the_end_before_the_client_does(asker: OpenaiClient, upstream: Emulator) -> None:
    for stream in (True, False):
        body = {"model": "stand-in", "stream": stream, "messages": [{"role": "user", "content": "tell me"}]}
        async with asker.http.stream("POST", "chat/completions", json=body) as response:
            async for text in response.aiter_text():
                if "[DONE]" in text or '"usage"' in text:
                    break
            assert upstream.ledger.turns[-1].outcome == "Success"
