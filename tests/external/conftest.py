"""Where setup.sh puts other people's programs."""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.external.catalogue import Program, Record
from tests.support.external.client import ERRORS, SCRIPTS, Client, client
from tests.support.external.programs import program_of
from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT

HERE = Path(__file__).parent
AUTOBAHN = HERE / ".venv-autobahn/bin/wstest"
SCHEMATHESIS = HERE / ".venv-schemathesis/bin/st"


# It is to fetch nothing: neither prices of models nor anything about itself.
LITELLM_LOCAL = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
# The environments of the clients in Python.
ENVIRONMENTS = ("openai", "llm", "litellm", "langchain")


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
    running: dict[str, Client] = {}
    with ExitStack() as stack:

        def of(name: str) -> Client:
            if name not in running:
                program = _program(HERE / f".venv-{name}/bin/python") if name in ENVIRONMENTS else _node()
                started = client(SCRIPTS[name], program, _inherited(), ERRORS[name])
                running[name] = stack.enter_context(started)
            return running[name]

        yield of


@pytest.fixture(scope="session")
def working() -> Iterator[Callable[[Program], Client]]:
    """The scripts of the catalogue's programs, each started when it is first asked for."""
    running: dict[str, Client] = {}
    with ExitStack() as stack:

        def of(program: Program) -> Client:
            if program.name not in running or not running[program.name].is_running:
                started = client(program.started, program_of(program.environment), _inherited())
                running[program.name] = stack.enter_context(started)
            return running[program.name]

        yield of


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | LITELLM_LOCAL


_RECORD = pytest.StashKey[Record]()


def pytest_configure(config: pytest.Config) -> None:
    """Collect what comes of the programs' steps."""
    config.stash[_RECORD] = Record()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how a test of a program's step ended; one that was skipped says nothing."""
    report = yield
    mark = item.get_closest_marker("step")
    if mark and (report.when == "call" or report.failed) and not (report.skipped and not hasattr(report, "wasxfail")):
        name, step = mark.args
        item.config.stash[_RECORD].add(name, step, report.passed)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the results of the programs, if they are asked for."""
    if os.environ.get("RECORD_RESULTS") == "1":
        session.config.stash[_RECORD].write()
