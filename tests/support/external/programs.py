"""The interpreters of the environments that tests/external/setup.sh makes."""

import shutil

from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT

_FOLDER = ROOT / "tests/external"


def program_of(environment: str) -> str:
    """Return Node, or the Python of an environment; the test is skipped where it is missing."""
    python = _FOLDER / f".venv-{environment}/bin/python"
    ready = _FOLDER / "node_modules/.ready" if environment == "node" else python
    program = shutil.which("node") if environment == "node" else str(python)
    if program is None or not ready.exists():
        unavailable(f"{environment}: run tests/external/setup.sh")
    assert program is not None
    return program
