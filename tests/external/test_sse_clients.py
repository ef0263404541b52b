"""What reads server-sent events gets the whole text through signs of life and cuts, asked once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.answering.timings import Timings
from tests.support.external.programs import program_of
from tests.support.gateway.harness import RunningGateway, running
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.external]

TEXTS = ("你好,", 'wor"ld', " and", " on")
ASKED = urlencode({"style": "balanced", "question": "slow"})
SIGNS = (b'"answer": ""', b": ping\n")
RECONNECTING = (
    ("node", "fetch-event-source GET"),
    ("node", "fetch-event-source POST"),
    ("node", "eventsource"),
    ("node", "undici"),
    ("sse", "httpx-sse"),
    ("sse", "aiohttp-sse-client2"),
)
ONCE = (("sse", "naive lines"), ("sse", "naive lines with Accept"), ("sse", "naive blocks"))
SDKS = (("node", "openai"), ("node", "openai with Accept"), ("openai", "openai"), ("openai", "openai with Accept"))


@dataclass
class CuttingProxy:
    """Passes bytes on. `signs` is set after three signs of life; a connection is cut once, in the middle of `cut`."""

    port: int
    cut: bytes = b""
    signs: asyncio.Event = field(default_factory=asyncio.Event)
    received: bytes = b""
    connections: int = 0
    first: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        upstream, request = await asyncio.open_connection("127.0.0.1", self.port)
        asking = asyncio.create_task(self._ask(reader, request))
        try:
            while data := await upstream.read(65536):
                self.received += data
                if sum(map(self.received.count, SIGNS)) >= 4:
                    self.signs.set()
                if self.cut and self.cut in data:
                    writer.write(data[: data.index(self.cut) + len(self.cut) // 2])
                    await writer.drain()
                    self.cut = b""
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            asking.cancel()
            request.close()
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, request: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            request.write(data)


@asynccontextmanager
async def memory_store() -> AsyncIterator[Store]:
    """A store of this process."""
    store = Store("memory://")
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def proxied(cut: bytes = b"") -> AsyncIterator[tuple[RunningGateway, CuttingProxy, str]]:
    """A gateway behind a proxy, whose answers pause until three signs of life were seen."""
    timings = Timings(sse_ping_every=0.1, openai_first_event=0.05)
    async with memory_store() as store, running(store, timings=timings) as gateway:
        proxy = CuttingProxy(gateway.port, cut)
        gateway.worker.scripts["slow"] = [
            *map(Delta, TEXTS[:2]),
            proxy.signs,
            *map(Delta, TEXTS[2:]),
            Final("".join(TEXTS)),
        ]
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        try:
            yield gateway, proxy, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            proxy.signs.set()
            server.close()


async def read(environment: str, library: str, url: str) -> list[Any]:
    """Return what a library makes of a stream."""
    script = Path(__file__).parent / "clients" / ("sse_client.mjs" if environment == "node" else "sse_client.py")
    process = await asyncio.create_subprocess_exec(
        program_of(environment), str(script), library, url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            output = await process.stdout.read()
            assert await process.wait() == 0, output
    finally:
        if process.returncode is None:
            process.kill()
    *frames, end = map(json.loads, output.splitlines())
    assert end == {"over": True}
    return frames


def text_of(frames: list[Any]) -> str:
    """The text that a page shows which only appends."""
    return "".join(frame["answer"] for frame in frames if not frame["done"])


@pytest.mark.parametrize(("environment", "library"), [*RECONNECTING, *ONCE])
async def test_the_drop_in_stream_reads_whole_through_signs_of_life(environment: str, library: str) -> None:
    async with proxied() as (gateway, proxy, url):
        if environment == "sse" and library in ("naive lines", "naive blocks"):
            proxy.signs.set()
        frames = await read(environment, library, f"{url}/api_stream?{ASKED}")
        assert text_of(frames) == frames[-1]["answer"] == "".join(TEXTS)
        assert (len(gateway.worker.asked), proxy.connections) == (1, 1)


@pytest.mark.parametrize("cut", [b' and", "urls"', b'"done": true', b'"answer": ""'], ids=["delta", "end", "sign"])
@pytest.mark.parametrize(("environment", "library"), RECONNECTING)
async def test_the_drop_in_stream_resumes_where_it_was_cut(environment: str, library: str, cut: bytes) -> None:
    async with proxied(cut) as (gateway, proxy, url):
        frames = await read(environment, library, f"{url}/api_stream?{ASKED}")
        assert text_of(frames) == frames[-1]["answer"] == "".join(TEXTS)
        # A client that lost the opening, with its id, asks again.
        questions = 2 if b'""' in cut else 1
        assert (len(gateway.worker.asked), proxy.connections) == (questions, 2)


@pytest.mark.parametrize(("environment", "library"), SDKS)
async def test_the_sdks_read_a_stream_whole_through_signs_of_life(environment: str, library: str) -> None:
    async with proxied() as (gateway, _, url):
        frames = await read(environment, library, f"{url}/v1")
        assert text_of(frames) == "".join(TEXTS)
        assert len(gateway.worker.asked) == 1
