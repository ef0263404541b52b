"""The page of examples: what runs in a shell and in Python."""

import subprocess
import sys

import pytest

from tests.support.examples import Example, examples, named
from tests.support.processes import Deployment

pytestmark = pytest.mark.usefixtures("well")
COMMANDS = {"sh": ["bash", "-eo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
RUNNABLE = [example for example in examples() if example.language in COMMANDS and not example.needs_openai]


@pytest.mark.parametrize("example", RUNNABLE, ids=named)
def test_an_example_prints_what_the_page_shows(deployed: Deployment, example: Example) -> None:
    command = [*COMMANDS[example.language], example.at(deployed.url)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert example.prints(run.stdout), run.stdout
