"""The documents' scripts for browsers."""

import pytest
from playwright.sync_api import Page

from tests.docs.test_snippets import BLOCKS
from tests.support.docs.blocks import Block
from tests.support.processes import Deployment

SCRIPTS = [block for block in BLOCKS if block.language == "js" and not block.needs_packages]


@pytest.mark.browser
@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_script_of_a_page_runs(page: Page, deployed: Deployment, block: Block) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{deployed.url}/healthz")
    script = f"async () => {{ {block.code.replace('127.0.0.1:5000', deployed.url.removeprefix('http://'))} }}"
    if "console.log" in block.code:
        with page.expect_console_message(lambda message: message.type == "log", timeout=15_000) as printed:
            page.evaluate(script)
        assert not block.printed or block.prints(printed.value.text), printed.value.text
    else:
        page.evaluate(script)
    assert faults == []
