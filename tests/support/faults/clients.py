"""Clients of all kinds, spread over the gateways; each keeps every frame it gets."""

import asyncio
import itertools
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.support.faults.history import Exchange, Frame, Kind

# Seconds that a client waits for an answer's end, above every limit that the processes have.
PATIENCE = 25.0
_RETRY = 0.1
_ID = re.compile(r"(s0-[0-9a-f]{32})\.(\d+)")


def unique(words: str) -> str:
    """A question that nobody else asks."""
    return f"{words} {uuid.uuid4().hex[:10]}"


class Clients:
    """Asks questions in the background, at one gateway after the other. An async context manager.

    `headers` go with each request, those that open a socket included. `patience` is in seconds.
    """

    def __init__(self, urls: list[str], headers: Mapping[str, str] | None = None, patience: float = PATIENCE) -> None:
        self._urls = urls
        self._next = itertools.cycle(urls)
        self._headers = dict(headers or {})
        self._patience = patience
        self._http = httpx.AsyncClient(
            verify=False,
            timeout=httpx.Timeout(patience, connect=3 if patience == PATIENCE else patience),
            limits=httpx.Limits(max_keepalive_connections=0),
            headers=self._headers,
        )
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.exchanges: list[Exchange] = []

    async def __aenter__(self) -> "Clients":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._http.aclose()

    def start(
        self, kind: Kind, question: str, token: str | None = None, gateway: str | None = None, key: str = ""
    ) -> Exchange:
        """Ask; the exchange grows in the background."""
        exchange = Exchange(kind, question, token, key=key, streaming=kind not in ("whole", "image"))
        self.exchanges.append(exchange)
        run = {"naive": self._naive, "eventsource": self._eventsource}.get(kind, self._whole)
        self._tasks[id(exchange)] = asyncio.create_task(self._bounded(run(exchange, gateway), exchange))
        return exchange

    async def ask(
        self, kind: Kind, question: str, token: str | None = None, gateway: str | None = None, key: str = ""
    ) -> Exchange:
        """Ask and wait for the end."""
        exchange = self.start(kind, question, token, gateway, key)
        await self.ended(exchange)
        return exchange

    async def stop(self, exchange: Exchange, gateway: str) -> int:
        """Stop the answer, at whatever gateway; the HTTP status. httpx.TransportError."""
        response = await self._http.delete(f"{gateway}/answers/{exchange.answer}")
        if response.status_code == 200 and response.json()["data"]["state"] == "stopped":
            exchange.stopped = True
        return response.status_code

    async def ended(self, *exchanges: Exchange) -> None:
        """Wait until these have ended, or all."""
        await asyncio.gather(*(self._tasks[id(exchange)] for exchange in exchanges or self.exchanges))

    def leave(self, exchange: Exchange) -> None:
        """Let the client of this exchange vanish."""
        exchange.cut = True
        self._tasks[id(exchange)].cancel()

    async def _bounded(self, running: Any, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await running
        except TimeoutError:
            exchange.hung = True
        except asyncio.CancelledError:
            if not exchange.cut:
                raise
        finally:
            exchange.ended = time.monotonic()

    async def _whole(self, exchange: Exchange, gateway: str | None) -> None:
        path = "/image" if exchange.kind == "image" else "/api"
        with suppress(httpx.TransportError):
            async with self._request(exchange, path, {}, gateway) as response:
                body = await response.aread()
                exchange.frames.append(Frame(json.loads(body), at=time.monotonic()))
                return
        exchange.cut = True

    async def _naive(self, exchange: Exchange, gateway: str | None) -> None:
        """Reads `data:` lines and can't come back."""
        with suppress(httpx.TransportError):
            async with self._request(exchange, "/api_stream", {}, gateway) as response:
                await self._read(exchange, response)
        exchange.cut = exchange.end is None

    async def _eventsource(self, exchange: Exchange, gateway: str | None) -> None:
        """Comes back after every break, at another gateway, with the last id that it got."""
        last = ""
        while exchange.end is None:
            headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
            length = len(exchange.frames)
            try:
                async with self._request(exchange, "/api_stream", headers, gateway) as response:
                    last = await self._read(exchange, response, last)
                    if response.status_code == 204:
                        return
            except httpx.TransportError:
                last = exchange.headers.pop("last", last)
                if not last and not exchange.key:
                    # A browser would ask again, which a second turn would be: what became of it is not known.
                    exchange.cut = True
                    return
            # Frames without an id come again with their event.
            while len(exchange.frames) > length and exchange.frames[-1].seq is None:
                if exchange.is_terminal(exchange.frames[-1]):
                    break
                exchange.frames.pop()
            if exchange.end is None:
                await asyncio.sleep(_RETRY)
                gateway = None

    @asynccontextmanager
    async def _request(
        self, exchange: Exchange, path: str, headers: dict[str, str], gateway: str | None
    ) -> AsyncIterator[httpx.Response]:
        """The response of the next gateway that takes connections: nothing was asked of those that don't."""
        fields = {"style": "balanced", "question": exchange.question, "keyword": exchange.question}
        fields |= {"token": exchange.token} if exchange.token else {}
        headers = headers | ({"idempotency-key": exchange.key} if exchange.key else {})
        url = gateway or next(self._next)
        for _ in range(100):
            try:
                async with self._http.stream("GET", url + path, params=fields, headers=headers) as response:
                    exchange.connections += 1
                    exchange.gateway = url
                    exchange.answer = response.headers.get("x-answer-id", exchange.answer)
                    exchange.status = exchange.status or response.status_code
                    exchange.headers = dict(response.headers)
                    yield response
                    return
            except httpx.ConnectError:
                url = next(self._next)
                await asyncio.sleep(_RETRY)
        raise httpx.ConnectError("no gateway takes connections")

    async def _read(self, exchange: Exchange, response: httpx.Response, last: str = "") -> str:
        """Keep the frames of a stream; the last id that it had."""
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            if body := await response.aread():
                refused = Frame(json.loads(body), at=time.monotonic())
                if not last:
                    exchange.refused = refused
            return last
        rest = b""
        async for data in response.aiter_raw():
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                last = _keep(exchange, event.decode(), last)
                exchange.headers["last"] = last
        exchange.headers.pop("last", None)
        return last

    @asynccontextmanager
    async def socket(self, gateway: str | None = None) -> AsyncIterator["Socket"]:
        """A WebSocket on /ws_stream."""
        url = (gateway or next(self._next)).replace("http", "ws")
        connection = await connect(f"{url}/ws_stream", proxy=None, compression=None, additional_headers=self._headers)
        try:
            yield Socket(connection, self)
        finally:
            await connection.close()

    def adopt(self, exchange: Exchange, task: "asyncio.Task[None]") -> None:
        """Watch over an exchange of a socket."""
        self.exchanges.append(exchange)
        self._tasks[id(exchange)] = task


def _keep(exchange: Exchange, event: str, last: str) -> str:
    """Keep one event's frame; the last id."""
    named: re.Match[str] | None = None
    frame: Any = None
    for line in event.split("\n"):
        if line.startswith("id: "):
            named = _ID.fullmatch(line[4:])
            assert named is not None, f"an id that is none: {line}"
            last = line[4:]
        elif line.startswith("data: "):
            frame = json.loads(line[6:])
    if frame is not None and not _is_sign(frame):
        answer, seq = (named[1], int(named[2])) if named else (None, None)
        exchange.frames.append(Frame(frame, answer, seq, time.monotonic()))
    return last


def _is_sign(frame: Any) -> bool:
    """Whether it is the opening or a sign of life: a delta without text."""
    return frame["code"] == 200 and frame["data"]["answer"] == "" and frame["data"]["done"] is False


class Socket:
    """One WebSocket: questions are answered in the order sent. `closed` is the close code, once there is one."""

    def __init__(self, connection: ClientConnection, clients: Clients) -> None:
        self._connection = connection
        self._clients = clients
        self._name = f"socket {uuid.uuid4().hex[:8]}"
        self._turn = asyncio.Lock()

    @property
    def closed(self) -> int | None:
        return self._connection.close_code

    def drop(self) -> None:
        """Vanish, without a close frame."""
        self._connection.transport.abort()

    async def send(self, question: str) -> Exchange:
        """Ask without waiting; the exchange grows in the background."""
        exchange = Exchange("socket", question, chain=self._name)
        await self._connection.send(json.dumps({"style": "balanced", "question": question}))
        self._clients.adopt(exchange, asyncio.create_task(self._bounded(exchange)))
        await asyncio.sleep(0)  # its task gets in line before the next one's
        return exchange

    async def ask(self, question: str) -> Exchange:
        """Ask and wait for the end."""
        exchange = await self.send(question)
        await self._clients.ended(exchange)
        return exchange

    async def _bounded(self, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                await self._receive(exchange)
        except TimeoutError:
            exchange.hung = True
        except (WebSocketException, OSError):
            exchange.cut = True
        finally:
            exchange.ended = time.monotonic()

    async def _receive(self, exchange: Exchange) -> None:
        while not exchange.terminals:
            body = json.loads(await self._connection.recv())
            exchange.frames.append(Frame(body, at=time.monotonic()))
