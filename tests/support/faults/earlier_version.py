"""The version before, from this repository's history: its processes run beside today's."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

# The last commit whose workers read streams of their own; the next change of what processes share moves it.
COMMIT = "e2c0d26"
_ROOT = Path(__file__).parents[3]


def is_there() -> bool:
    """Whether this clone has the commit; a shallow one hasn't."""
    checked = subprocess.run(
        ["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"], cwd=_ROOT, capture_output=True, check=False
    )
    return checked.returncode == 0


def unpack(folder: Path) -> Path:
    """Unpack the commit's files into a folder, and return that."""
    archive = subprocess.run(["git", "archive", COMMIT], cwd=_ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


@contextmanager
def earlier_process(module: str, sources: Path, log: Path, **settings: str) -> Iterator[None]:
    """Run `python -m module` of the version before, with only the settings given."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | settings
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", module], cwd=sources, env=environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(10)
