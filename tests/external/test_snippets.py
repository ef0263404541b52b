"""The documents' programs that import other people's packages."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_snippets import BLOCKS
from tests.external.conftest import HERE
from tests.support.docs.blocks import Block
from tests.support.prerequisites import unavailable
from tests.support.processes import Deployment, deployment

pytestmark = pytest.mark.external
SDK = HERE / ".venv-openai/bin/python"
LANGCHAIN = HERE / ".venv-litellm/bin/python"
PROGRAMS = [block for block in BLOCKS if block.needs_packages]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("snippets"), None) as running:
        yield running


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_of_a_page_runs(deployed: Deployment, block: Block, node: str, tmp_path: Path) -> None:
    code = block.code.replace("127.0.0.1:5000", deployed.url.removeprefix("http://"))
    if block.language == "js":
        program = tmp_path / "program.mjs"
        (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
        command = [node, str(program)]
    else:
        program = tmp_path / "program.py"
        python = LANGCHAIN if "langchain" in code or "litellm" in code else SDK
        if not python.exists():
            unavailable(f"{python.parent.parent.name}: run tests/external/setup.sh")
        command = [str(python), str(program)]
    program.write_text(code)
    run = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not block.printed or block.prints(run.stdout), run.stdout
