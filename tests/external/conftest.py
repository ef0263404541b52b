"""Where setup.sh puts other people's programs."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import unavailable

HERE = Path(__file__).parent
AUTOBAHN = HERE / ".venv-autobahn/bin/wstest"
SCHEMATHESIS = HERE / ".venv-schemathesis/bin/st"


def _program(path: Path) -> str:
    if not path.exists():
        unavailable(f"{path.name}: run tests/external/setup.sh")
    return str(path)


@pytest.fixture(scope="module")
def wstest() -> str:
    """The command of Autobahn's test suite."""
    return _program(AUTOBAHN)


@pytest.fixture(scope="module")
def schemathesis() -> str:
    """The command of schemathesis."""
    return _program(SCHEMATHESIS)


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with the packages of package.json beside it."""
    found = shutil.which("node")
    if found is None or not (HERE / "node_modules/.ready").exists():
        unavailable("node and its packages: run tests/external/setup.sh")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def llama() -> str:
    """The Python that has llama.cpp, for llama.py."""
    return _program(HERE / ".venv-llama/bin/python")


@pytest.fixture(scope="module")
def litellm() -> str:
    """The command of LiteLLM's proxy."""
    return _program(HERE / ".venv-litellm/bin/litellm")
