"""A request whose body comes later than its head."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.gateway.harness import RunningGateway

HEAD = "POST {} HTTP/1.1\r\nHost: g\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n{}\r\n"


@dataclass
class SlowBody:
    """A request whose endpoint waits for the body."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes

    async def finish(self) -> bytes:
        """Send the body, and return the status line."""
        self.writer.write(self.body)
        async with asyncio.timeout(5):
            return (await self.reader.read()).partition(b"\r\n")[0]


@asynccontextmanager
async def slow_body(gateway: RunningGateway, path: str, body: bytes, *headers: str) -> AsyncIterator[SlowBody]:
    """Send the head, and wait until the endpoint reads the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(HEAD.format(path, len(body), "".join(f"{header}\r\n" for header in headers)).encode())
    try:
        async with asyncio.timeout(5):
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        yield SlowBody(reader, writer, body)
    finally:
        writer.close()
