"""A line to Redis that a test can cut, silence, or close to newcomers."""

import asyncio
from types import TracebackType


class Proxy:
    """Forwards TCP to 127.0.0.1:`port`; an async context manager. `url` is its own address as REDIS_URL."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self.accepted = 0
        self.url = ""

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    async def cut(self) -> None:
        """Close every connection there is."""
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    def refuse(self, refusing: bool) -> None:
        """Close new connections at once."""
        self._refusing = refusing

    def silence(self) -> None:
        """Accept everything, pass nothing on: not now, and not later on the connections of this time."""
        self._open.clear()

    def speak(self) -> None:
        """New connections work again."""
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        try:
            if not self._refusing:
                await self._forward(reader, writer)
        except* (asyncio.CancelledError, OSError):
            pass
        finally:
            self._lines.discard(line)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back))
                tasks.create_task(self._pump(there, writer))
        finally:
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lost = not self._open.is_set()
        while data := await reader.read(65536):
            lost = lost or not self._open.is_set()
            if not lost:
                writer.write(data)
        raise ConnectionResetError("the other side has closed")
