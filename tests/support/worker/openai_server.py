"""A server of the OpenAI API on 127.0.0.1 that a test scripts byte by byte."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

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


class OpenAIServer:
    """An async context manager. `play` answers each request; `left` is set when a client hangs up."""

    def __init__(self, play: Play | None = None) -> None:
        self.play = play or answering(whole("hello"))
        self.asked: list[Asked] = []
        self.bytes = 0
        self.connections = 0
        self.left = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "OpenAIServer":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def account(self, name: str = "local", **changed: Any) -> ServerAccount:
        """An account at this server."""
        server = {"base_url": f"{self.url}/v1", "model": "m", "key": KEY, "image_model": "p", **changed}
        return ServerAccount(name, **server)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._lines.discard(line)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        self.bytes += 1
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, target, headers, body))
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
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks)


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
