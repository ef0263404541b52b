"""Environments for other people's programs, in the user's cache: made from lists with hashes, and then left there."""

import asyncio
import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.systems.processes import ROOT

CACHE = Path.home() / ".cache" / "bing-chat-gateway" / "peers"
_PIP = ROOT / "requirements" / "pip.txt"
_PIP_OPTIONS = ("install", "--quiet", "--disable-pip-version-check", "--require-hashes")
_READY = "ready"
_LOG = "install.log"
_LOCK = "package-lock.json"
# How long one may take to install, in seconds, and how much of the log's end an error quotes, in characters.
_LIMIT = 600.0
_QUOTED = 1500
_PIN = re.compile(r"^[\w.-]+(?:\[[\w,-]+\])?==(\S+)$", re.MULTILINE)


class Environments:
    """The environments in a folder. An environment's name contains its list's hash: another list gets another one."""

    def __init__(self, folder: Path = CACHE) -> None:
        self._folder = folder

    async def python(self, pins: Path) -> Path:
        """Return the folder of an environment's commands, with what the list names; for this Python.

        BenchError when it can't be installed.
        """
        folder = self._place(pins)
        if not self.has(pins):
            pip = await self._pip()
            self._clear(folder)
            await _run(folder, [sys.executable, "-m", "venv", "--without-pip", folder / "venv"])
            await _run(folder, [pip, "--python", folder / "venv" / "bin" / "python", *_PIP_OPTIONS, "-r", pins])
            (folder / _READY).touch()
        return folder / "venv" / "bin"

    async def node(self, source: Path) -> Path:
        """Return the folder of the packages that the lock in `source` names.

        BenchError when they can't be installed, as where there is no npm.
        """
        folder = self._place(source / _LOCK)
        if not self.has(source / _LOCK):
            npm = program("npm")
            self._clear(folder)
            for name in ("package.json", _LOCK, ".npmrc"):
                shutil.copy(source / name, folder)
            await _run(folder, [npm, "ci", "--silent", "--prefix", folder])
            (folder / _READY).touch()
        return folder / "node_modules"

    def has(self, pins: Path) -> bool:
        """Return whether what a list names is installed."""
        return (self._place(pins) / _READY).exists()

    async def _pip(self) -> Path:
        """Return the pip that installs: the one that comes with Python takes a pin with an extra for none."""
        folder = self._place(_PIP)
        if not self.has(_PIP):
            self._clear(folder)
            await _run(folder, [sys.executable, "-m", "venv", folder / "venv"])
            await _run(folder, [folder / "venv" / "bin" / "pip", *_PIP_OPTIONS, "-r", _PIP])
            (folder / _READY).touch()
        return folder / "venv" / "bin" / "pip"

    def _place(self, pins: Path) -> Path:
        name = pins.parent.name if pins.suffix == ".json" else pins.stem
        version = ".".join(map(str, sys.version_info[:3])).encode()
        return self._folder / f"{name}-{hashlib.sha256(version + pins.read_bytes()).hexdigest()[:12]}"

    def _clear(self, folder: Path) -> None:
        """Empty it: an installation may have been interrupted in it."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)


def program(name: str) -> str:
    """Return the path of a program of this machine. BenchError when it isn't installed."""
    found = shutil.which(name)
    if found is None:
        raise BenchError(f"{name} is not installed: install it, or leave out the peers that need it")
    return found


def pinned_version(pins: Path) -> str:
    """Return the version of the program that a list is for, from the list's source."""
    pin = _PIN.search(pins.with_suffix(".in").read_text())
    assert pin is not None
    return pin[1]


async def output_of(*command: str) -> str:
    """Return what a command prints, on stdout and stderr together."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    return (await process.communicate())[0].decode(errors="replace").strip()


async def _run(folder: Path, command: Sequence[str | Path]) -> None:
    """Run a command that installs. BenchError, with the end of its output, when it fails or takes too long."""
    log = folder / _LOG
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(_LIMIT):
            failed = await process.wait()
    except TimeoutError:
        failed = 1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if failed:
        raise BenchError(f"{folder.name} can't be installed: {log.read_text(errors='replace')[-_QUOTED:].strip()}")
