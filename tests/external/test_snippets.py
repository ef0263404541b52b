"""The documents' programs that need other people's packages."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_snippets import BLOCKS
from tests.external.conftest import HERE, LITELLM_LOCAL
from tests.support.docs.blocks import Block, blocks
from tests.support.prerequisites import unavailable
from tests.support.processes import Deployment, deployment

pytestmark = pytest.mark.external
PROGRAMS = [block for block in BLOCKS if block.needs_packages]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("snippets"), None) as running:
        yield running


def environment(block: Block) -> Path:
    """The folder of the programs that a block needs."""
    name = next((name for name in ("anthropic", "langchain", "litellm", "llm") if name in block.code), "openai")
    folder = HERE / f".venv-{name}/bin"
    if not folder.exists():
        unavailable(f".venv-{name}: run tests/external/setup.sh")
    return folder


def located(code: str, deployed: Deployment) -> str:
    """The code, for the gateway that runs."""
    return code.replace("127.0.0.1:5000", deployed.url.removeprefix("http://"))


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_of_a_page_runs(deployed: Deployment, block: Block, node: str, tmp_path: Path) -> None:
    for other in blocks(block.page):
        if other.file and "/" not in other.file:
            (tmp_path / other.file).write_text(located(other.code, deployed))
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    program = tmp_path / {"js": "program.mjs", "python": "program.py", "sh": "program.sh"}[block.language]
    program.write_text(located(block.code, deployed))
    programs = environment(block)
    command = {"js": [node], "python": [str(programs / "python")], "sh": ["bash", "-eo", "pipefail"]}[block.language]
    settings = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "LLM_USER_PATH": str(tmp_path)}
    run = subprocess.run(
        [*command, program],
        cwd=tmp_path,
        env=settings | LITELLM_LOCAL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert not block.printed or block.prints(run.stdout), run.stdout
