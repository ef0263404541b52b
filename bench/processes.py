"""Processes that end with the bench, whatever ends it."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
# How long a process may take to be ready, and to end when it is told to, in seconds.
_STARTING = 30.0
_ENDING = 4.0
_LOOK_AGAIN = 0.05
_TOLD = 1500


@dataclass(frozen=True)
class Started:
    """A running process; its output goes to the file `log`."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    async def until(self, what: str, ready: Callable[[], Awaitable[bool]], limit: float = _STARTING) -> None:
        """Wait until it is ready, for `limit` seconds.

        BenchError, with the end of its log, when it ends before or takes too long.
        """
        try:
            async with asyncio.timeout(limit):
                while not await ready():
                    if self.process.returncode is not None:
                        raise BenchError(f"{self.name} ended at once: {self._last_words()}")
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError:
            raise BenchError(f"{self.name} did not become ready ({what}): {self._last_words()}") from None

    def says(self, words: str) -> bool:
        """Whether these words stand in its log."""
        return words in self.log.read_text(errors="replace")

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-_TOLD:].strip() or "it said nothing"


class Processes:
    """An async context manager that ends, by id, all that was started in it. `folder` gets their logs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Started] = []

    async def __aenter__(self) -> "Processes":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # All are told before the first wait: a second Ctrl-C during it leaves none of them running.
        for started in self._started:
            if started.process.returncode is None:
                started.process.terminate()
        await asyncio.gather(*(self._end(started) for started in self._started))

    async def _end(self, started: Started) -> None:
        try:
            async with asyncio.timeout(_ENDING):
                await started.process.wait()
        except TimeoutError:
            started.process.kill()
            await started.process.wait()

    async def start(self, name: str, command: Sequence[str | Path], settings: Mapping[str, object]) -> Started:
        """Start a command with nothing but these settings in its environment. `name` names its log file."""
        log = self._folder / f"{name}.log"
        environment = {"HOME": str(self._folder), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"}
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env=environment | {key: str(value) for key, value in settings.items()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A Ctrl-C reaches the bench alone, which then ends them.
                start_new_session=True,
            )
        started = Started(name, process, log)
        self._started.append(started)
        return started

    async def module(self, name: str, module: str, settings: Mapping[str, object], *options: str) -> Started:
        """Start one of the project's modules."""
        return await self.start(name, [sys.executable, "-m", module, *options], settings)


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that are free now, all different."""
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()


async def listens(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def says_ready(port: int, path: str = "/readyz") -> bool:
    """Whether GET gets a 200 there."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
