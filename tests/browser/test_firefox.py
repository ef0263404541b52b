"""The chat page in another browser."""

import shutil
from pathlib import Path

import pytest

from tests.support.browser.chromium import System
from tests.support.browser.firefox import firefox
from tests.support.prerequisites import unavailable

pytestmark = [pytest.mark.browser, pytest.mark.anyio]

LAST = "[...document.querySelectorAll('.exchange')].at(-1)"
ENDED = "document.querySelector('#stop').hidden || getComputedStyle(document.querySelector('#stop')).display === 'none'"


async def test_an_answer_streams_and_continues_after_a_reload_in_firefox(system: System, tmp_path: Path) -> None:
    command = shutil.which("firefox-esr")
    if command is None:
        unavailable("Debian's firefox-esr")
    assert command is not None
    async with firefox(command, tmp_path) as tab:
        await tab.go(system.url)
        await tab.evaluate("document.querySelector('#question').focus()")
        await tab.type("!deltas=60 !rate=20 in Firefox\n")
        await tab.until(f"{LAST}?.querySelector('.text')?.textContent.includes('delta 000010')")
        await tab.reload()
        await tab.until(f"{LAST}?.querySelector('.text')?.textContent.includes('delta 000060')")
        await tab.until(ENDED)
        whole = " ".join(f"delta {number:06}" for number in range(1, 61))
        assert (await tab.evaluate(f"{LAST}.querySelector('.text').textContent.trim()")) == whole
    (turn,) = system.deployed.turns("!deltas=60 !rate=20 in Firefox")
    assert turn["outcome"] == "Success"
