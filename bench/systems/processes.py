"""Processes that end with the bench, whatever ends it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent.parent
# How long a process may take to become ready, and to end after SIGTERM, in seconds.
_START_LIMIT = 30.0
_END_LIMIT = 4.0
_POLL = 0.05
# How much of a log's end an error quotes, in characters.
_QUOTED = 1500


@dataclass(frozen=True)
class RunningProcess:
    """A process that was started; its output goes to the file `log`."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def until(self, what: str, ready: Callable[[], Awaitable[bool]], limit: float = _START_LIMIT) -> None:
        """Wait until it is ready, for `limit` seconds.

        BenchError, with the end of its log, when it ends before or takes too long.
        """
        try:
            async with asyncio.timeout(limit):
                while not await ready():
                    if self.process.returncode is not None:
                        raise BenchError(f"{self.name} ended at once: {self._log_end()}")
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise BenchError(f"{self.name} did not become ready ({what}): {self._log_end()}") from None

    def logged(self, words: str) -> bool:
        """Return whether its log contains these words."""
        return words in self.log.read_text(errors="replace")

    def family(self) -> list[int]:
        """Return the ids of its processes: its own, and those that it started."""
        pids = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if session(stat.read_text()) == self.pid:
                    pids.append(int(stat.parent.name))
        return sorted(pids)

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-_QUOTED:].strip() or "its log is empty"


class Processes:
    """An async context manager that ends, by id, all that was started in it. Their logs are files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[RunningProcess] = []

    async def __aenter__(self) -> "Processes":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # All get SIGTERM before the first wait: a second Ctrl-C during it leaves none of them running.
        for running in self._running:
            if running.process.returncode is None:
                running.process.terminate()
        await asyncio.gather(*(self._end(running) for running in self._running))

    async def _end(self, running: RunningProcess) -> None:
        try:
            async with asyncio.timeout(_END_LIMIT):
                await running.process.wait()
        except TimeoutError:
            # With what it started: it is its session's first process.
            os.killpg(running.pid, signal.SIGKILL)
            await running.process.wait()

    async def start(
        self, name: str, command: Sequence[str | Path], settings: Mapping[str, object], tree: Path = ROOT
    ) -> RunningProcess:
        """Start a command in `tree` with nothing but these settings in its environment. `name` names its log file."""
        log = self._folder / f"{name}.log"
        environment = {"HOME": str(self._folder), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"}
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=tree,
                env=environment | {key: str(value) for key, value in settings.items()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A Ctrl-C reaches the bench alone, which then ends them.
                start_new_session=True,
            )
        running = RunningProcess(name, process, log)
        self._running.append(running)
        return running

    async def start_module(
        self, name: str, module: str, settings: Mapping[str, object], *options: str, tree: Path = ROOT
    ) -> RunningProcess:
        """Start one of the modules of a tree."""
        return await self.start(name, [sys.executable, "-m", module, *options], settings, tree)


def session(stat: str) -> int:
    """Return the session of a /proc/PID/stat. The name in it may contain spaces and brackets."""
    return int(stat[stat.rindex(")") + 1 :].split()[3])


def free_ports(count: int) -> list[int]:
    """Return ports on 127.0.0.1 that are free now, all different."""
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()


async def accepts(port: int) -> bool:
    """Return whether something accepts connections on this port of 127.0.0.1."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def is_ready(port: int, path: str = "/readyz") -> bool:
    """Return whether GET gets a 200 there."""
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
