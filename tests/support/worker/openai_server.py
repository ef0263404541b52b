"""A server of the OpenAI API on 127.0.0.1 that a test scripts byte by byte."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.conditions import SOON, until
from tests.support.tcp_server import TcpServer
from worker.accounts.account import ServerAccount

KEY = "sk-test-0123456789"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Play = Callable[[asyncio.StreamWriter], Awaitable[None]]


class OpenAIServer(TcpServer):
    """The server. `play` answers each request; `left` is set when a client hangs up."""

    def __init__(self, play: Play | None = None) -> None:
        super().__init__()
        self.play = play or answering(whole("hello"))
        self.asked: list[Asked] = []
        self.bytes = 0
        self.left = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def account(self, name: str = "local", **changed: Any) -> ServerAccount:
        """An account at this server."""
        server = {"base_url": f"{self.url}/v1", "model": "m", "key": KEY, "image_model": "p", **changed}
        return ServerAccount(name, **server)

    async def cancel_once_asked(self, task: asyncio.Future[Any]) -> None:
        """Cancel a task once its request has arrived, and wait until it has hung up."""
        await until(lambda: self.asked, "a request arrives")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(SOON):
            await self.left.wait()

    async def read_request(self, reader: asyncio.StreamReader) -> None:
        """Wait for a request, and note it."""
        first = await reader.readexactly(1)
        self.bytes += 1
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, target, headers, body))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read_request(reader)
        playing = asyncio.ensure_future(self.play(writer))
        leaving = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait([playing, leaving], return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.left.set()
            else:
                await playing
        finally:
            playing.cancel()
            leaving.cancel()
            await asyncio.gather(playing, leaving, return_exceptions=True)


def chunk(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of an answer."""
    delta = {} if content is None else {"content": content}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def events(*chunks: dict[str, Any]) -> bytes:
    """The chunks as events, without the end."""
    return b"".join(b"data: " + json.dumps(body).encode() + b"\n\n" for body in chunks)


def whole(*texts: str, **more: Any) -> bytes:
    """The events of a whole answer; `more` is added to the last chunk."""
    return events(*map(chunk, texts), chunk(None, "stop", **more)) + b"data: [DONE]\n\n"


def piece(data: bytes) -> bytes:
    """Data as a piece of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def saying(*writes: bytes) -> Play:
    """These bytes, then the connection is closed."""

    async def play(writer: asyncio.StreamWriter) -> None:
        for write in writes:
            writer.write(write)
            await writer.drain()

    return play


def answering(*bodies: bytes) -> Play:
    """An event stream of these pieces, with its proper end."""
    return saying(HEAD, *map(piece, bodies), LAST)


def stopping(*writes: bytes) -> Play:
    """These bytes, then silence with the connection open."""

    async def play(writer: asyncio.StreamWriter) -> None:
        await saying(*writes)(writer)
        await asyncio.Event().wait()

    return play


def refusing(status: int, body: Any = "", **headers: str) -> Play:
    """A response with that status; `_` in a header's name is its hyphen."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, str) else "application/json"
    fields = {"Content-Type": kind, "Content-Length": str(len(data)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return saying(f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + data)
