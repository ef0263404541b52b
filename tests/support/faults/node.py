"""One process of a deployment that a test can hurt."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT

_GRACE = 10.0


class Node:
    """One process that can be ended, frozen and started again. Its output goes to `log`."""

    def __init__(self, name: str, command: list[str], settings: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._settings = dict(settings)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._signalled = False
        self.frozen = False

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.running:
            return
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = inherited | {"PYTHONPATH": str(ROOT)} | self._settings
        self._signalled = self.frozen = False
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environment, stdout=output, stderr=output
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and not self.running and not self._signalled

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """Kill -9, and wait for it."""
        self._signalled = True
        self._signal(signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.frozen = False
        if self.running:
            self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._signalled = True
        self._signal(signal.SIGTERM)

    def wait(self, limit: float = _GRACE) -> int:
        """The exit code."""
        assert self._process is not None
        return self._process.wait(limit)

    def end(self) -> None:
        """End it, whatever state it is in."""
        if not self.running:
            return
        self.thaw()
        self.terminate()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def says(self) -> Iterator[dict[str, Any]]:
        """The records of its log."""
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)
