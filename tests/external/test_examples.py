"""The page of examples: what needs the openai SDK."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.external.conftest import HERE
from tests.support.examples import Example, examples, named
from tests.support.prerequisites import unavailable
from tests.support.processes import Deployment, deployment

pytestmark = pytest.mark.external
SDK = HERE / ".venv-openai/bin/python"
EXAMPLES = [example for example in examples() if example.needs_openai]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("examples"), None) as running:
        yield running


@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_an_example_prints_what_the_page_shows(deployed: Deployment, example: Example) -> None:
    if not SDK.exists():
        unavailable(f"{SDK.parent.parent.name}: run tests/external/setup.sh")
    run = subprocess.run([SDK, "-c", example.at(deployed.url)], capture_output=True, text=True, timeout=50, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert example.prints(run.stdout), run.stdout
