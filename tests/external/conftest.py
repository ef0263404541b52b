"""Where setup.sh puts other people's programs."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.external.client import Client, client
from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT

HERE = Path(__file__).parent
AUTOBAHN = HERE / ".venv-autobahn/bin/wstest"
SCHEMATHESIS = HERE / ".venv-schemathesis/bin/st"


# It is to fetch nothing: neither prices of models nor anything about itself.
LITELLM_LOCAL = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
# The environments of the clients in Python.
ENVIRONMENTS = {"openai": "openai", "llm": "openai", "litellm": "litellm", "langchain": "litellm"}


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
    return _node()


def _node() -> str:
    executable = shutil.which("node")
    if executable is None or not (HERE / "node_modules/.ready").exists():
        unavailable("node and its packages: run tests/external/setup.sh")
    assert executable is not None
    return executable


@pytest.fixture(scope="module")
def llama() -> str:
    """The Python that has llama.cpp, for llama.py."""
    return _program(HERE / ".venv-llama/bin/python")


@pytest.fixture(scope="module")
def transformers() -> str:
    """The Python that has transformers, for transformers_server.py."""
    return _program(HERE / ".venv-transformers/bin/python")


@pytest.fixture(scope="module")
def litellm() -> str:
    """The command of LiteLLM's proxy."""
    return _program(HERE / ".venv-litellm/bin/litellm")


@pytest.fixture(scope="module")
def locust() -> str:
    """The command of locust, in the environment of `make load`."""
    return _program(ROOT / ".venv-load/bin/locust")


@pytest.fixture(scope="session")
def clients() -> Iterator[Callable[[str], Client]]:
    """Clients of the OpenAI API by their names, each started when it is first asked for."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    running: dict[str, Client] = {}
    with ExitStack() as stack:

        def of(name: str) -> Client:
            if name not in running:
                program = _program(HERE / f".venv-{ENVIRONMENTS[name]}/bin/python") if name in ENVIRONMENTS else _node()
                running[name] = stack.enter_context(client(name, program, inherited | LITELLM_LOCAL))
            return running[name]

        yield of
