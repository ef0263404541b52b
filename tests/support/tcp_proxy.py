"""A TCP proxy between a process and its server that a test can delay, silence, cut and refuse."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from tests.support.conditions import until

T = TypeVar("T")
# Picks, of the ports that clients connect from, those whose connections are held.
HoldRule: TypeAlias = Callable[[set[int]], set[int]]
_WAIT = 30.0
_LINGER_NONE = struct.pack("ii", 1, 0)


class _Fate:
    """What happens to one connection: replies are dropped, nothing passes ever again, nothing passes for now."""

    def __init__(self) -> None:
        self.dropping = False
        self.dead = False
        self._open = asyncio.Event()
        self._open.set()

    def hold(self, held: bool) -> None:
        """Let nothing arrive, not even the end of the connection, or let all of it arrive."""
        if held:
            self._open.clear()
        else:
            self._open.set()

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """Return what one end has sent, empty once it has closed. Raises OSError if it has reset the connection."""
        try:
            data = await reader.read(65536)
        except OSError:
            await self._open.wait()
            raise
        await self._open.wait()
        return data


class TcpProxy:
    """Forwards TCP to 127.0.0.1:`target`; an async context manager, whose faults may be set from any thread."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._delay = 0.0
        self._deaf = False
        self._refusing = False
        self._cut_after: int | None = None
        self._halved: bytes | None = None
        self._unanswered: bytes | None = None
        self._fatal: bytes | None = None
        self._hold_rule: HoldRule | None = None
        self._released = asyncio.Event()
        # By the port that the client connects from.
        self._fates: dict[int, _Fate] = {}
        self.port = 0
        self.lost = 0
        self.accepted = 0

    async def __aenter__(self) -> "TcpProxy":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Return its address as REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def heal(self) -> None:
        """Forward as it should be. Connections that went dead stay dead."""
        self._delay, self._deaf, self._refusing = 0.0, False, False
        self._cut_after = self._halved = self._unanswered = self._fatal = None
        self.lost = 0
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._release)

    async def hold(self, rule: HoldRule) -> None:
        """Pass nothing on, either way, on the connections that the rule picks, until another rule or `heal`.

        What a held connection carries arrives once it is released, as after a cable was out; one that is begun while
        it would be held ends with RST then.
        """
        self._hold_rule = rule
        held = rule(set(self._fates))
        for port, fate in self._fates.items():
            fate.hold(port in held)
        self._end_silence()

    def _release(self) -> None:
        self._hold_rule = None
        for fate in self._fates.values():
            fate.hold(False)
        self._end_silence()

    def _end_silence(self) -> None:
        """End the connections that were begun while they were held."""
        self._released.set()
        self._released = asyncio.Event()

    def delay(self, seconds: float) -> None:
        """Hold each piece back for so long."""
        self._delay = seconds

    def black_hole(self) -> None:
        """Accept everything and pass nothing on: a half-open connection stays one after heal."""
        self._deaf = True

    def silence(self, after: bytes) -> None:
        """Let the next connection whose request contains `after` go half-open with it; `lost` counts it."""
        self._fatal = after

    def reset(self, *, refuse: bool = False) -> None:
        """End every connection with RST; with `refuse`, new ones at once too."""
        assert self._loop is not None
        self._refusing = refuse
        self._loop.call_soon_threadsafe(self._end_all)

    def cut_after(self, count: int) -> None:
        """End the next connection that brings so many bytes back with RST, just then; others are left alone."""
        self._cut_after = count

    def halve_reply(self, within: bytes) -> None:
        """Forward the next reply up to the middle of `within`, which it contains, and hang up; `lost` counts it."""
        self._halved = within

    def lose_reply(self, to: bytes) -> None:
        """Forward the next request that contains `to`, drop its reply and hang up; `lost` counts it."""
        self._unanswered = to

    async def cut(self, *, refuse: bool = False) -> None:
        """End every connection with RST, and wait until they have ended; with `refuse`, end new ones at once too."""
        self._refusing = refuse
        self._end_all()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _end_all(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def open(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        port = writer.get_extra_info("peername")[1]
        try:
            if self._hold_rule is not None and port in self._hold_rule({port}):
                await self._released.wait()
            elif not self._refusing:
                fate = self._fates[port] = _Fate()
                await self._forward(reader, writer, fate)
        except* (asyncio.CancelledError, OSError):
            pass
        finally:
            self._fates.pop(port, None)
            await _abort(writer)
            self._connections.discard(connection)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: _Fate) -> None:
        upstream, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(reader, back, fate))
                tasks.create_task(self._replies(upstream, writer, fate))
        finally:
            await _abort(back)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: _Fate) -> None:
        while data := await fate.read(reader):
            if self._unanswered is not None and self._unanswered in data:
                self._unanswered = None
                self.lost += 1
                fate.dropping = True
            if self._fatal is not None and self._fatal in data:
                self._fatal = None
                self.lost += 1
                fate.dead = True
            await self._pass(data, writer, fate)
        raise ConnectionResetError("the client has closed")

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: _Fate) -> None:
        passed = 0
        while data := await fate.read(reader):
            if fate.dropping:
                raise ConnectionResetError("the reply is lost")
            passed += len(data)
            if (allowed := self._left_of(data, passed)) is not None:
                writer.write(data[:allowed])
                # RST overtakes what the other end has not acknowledged.
                await until(lambda: _unacknowledged(writer) == 0, "the other end has the data", limit=_WAIT)
                raise ConnectionResetError("cut")
            await self._pass(data, writer, fate)
        # What the other side said last arrives before its end does.
        with suppress(OSError):
            await writer.drain()
        writer.close()

    def _left_of(self, data: bytes, passed: int) -> int | None:
        """How much of the data to forward before the cut that was asked for; None if it isn't due."""
        if self._cut_after is not None and passed >= self._cut_after:
            allowed, self._cut_after = max(len(data) - (passed - self._cut_after), 0), None
            return allowed
        if self._halved is not None and (middle := data.find(self._halved)) >= 0:
            allowed, self._halved = middle + len(self._halved) // 2, None
            self.lost += 1
            return allowed
        return None

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, fate: _Fate) -> None:
        """Pass the data on, unless the connection is dead."""
        if self._delay:
            await asyncio.sleep(self._delay)
        if self._deaf:
            fate.dead = True
        if not fate.dead:
            writer.write(data)
            await writer.drain()


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Return how many bytes the other end has not acknowledged; 0 if the connection has ended."""
    if writer.is_closing():
        return 0
    queued = fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return writer.transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)


async def _abort(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, unless it is closing already."""
    with suppress(OSError, ValueError):
        if not writer.is_closing():
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


class ProxyThread:
    """A context manager of proxies on an event loop of its own, in a thread, so that they outlive a test's loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._proxies: list[TcpProxy] = []

    def __enter__(self) -> "ProxyThread":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for proxy in self._proxies:
            self.do(proxy.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT)
        self._loop.close()

    def proxy(self, target: int) -> TcpProxy:
        """Return a new proxy to this port of 127.0.0.1."""
        proxy = TcpProxy(target)
        self.do(proxy.open)
        self._proxies.append(proxy)
        return proxy

    def heal(self) -> None:
        """Let every proxy forward as it should."""
        for proxy in self._proxies:
            proxy.heal()

    def do(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of a coroutine that runs on the proxies' loop."""
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(_WAIT)
