"""Takes the README's picture of the console: `python -m tests.browser.portrait docs/console.png [MINUTES]`.

Everything in it has happened: the stand-in is asked for so many minutes, more and less, and told to make trouble.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.console import Operator
from tests.processes import write_accounts
from tests.site import Site, site

# More than one is asked at once, and each waits so many seconds at most before the next.
_CROWD = 4
_PAUSE = 6.0
# At which part of the time whose account meets what.
_TROUBLE = [(0.3, "bob", "internal"), (0.5, "alice", "close-mid"), (0.6, "dora", "captcha"), (0.75, "bob", "throttled")]


def ask(system: Site, until: float, number: int) -> None:
    """Ask now and then, in waves."""
    dice = random.Random(number)
    while (now := time.monotonic()) < until:
        system.ask(f"what is a stream? {now:.1f}", gateway=number % 2)
        wave = 0.35 + 0.65 * abs((now / 240 + number / 9) % 2 - 1)
        time.sleep(dice.random() * _PAUSE * wave)


def trouble(system: Site, began: float, seconds: float) -> None:
    """What is to go wrong, when its time comes."""
    for part, account, outcome in _TROUBLE:
        time.sleep(max(0.0, began + part * seconds - time.monotonic()))
        system.script(account=account, chat={"outcome": outcome, "times": 1})


def portray(system: Site, file: Path) -> None:
    """Sign in, wait until all is there, and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS, env=dict(os.environ))
        context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 1370}, color_scheme="light")
        operator = Operator(context.new_page())
        operator.open(system.url)
        operator.shows("accounts", "alice", "ready")
        operator.page.locator("#answers tbody tr").first.wait_for()
        operator.page.wait_for_timeout(11_000)
        operator.page.screenshot(path=file)
        browser.close()


def main(file: Path, minutes: float) -> None:
    """Run the system, and take the picture at the end."""
    with tempfile.TemporaryDirectory() as folder, site(Path(folder), pace="0.5") as system:
        write_accounts(Path(folder) / "cookies", "carol", "dora")
        began, seconds = time.monotonic(), minutes * 60
        troubling = threading.Thread(target=trouble, args=(system, began, seconds))
        troubling.start()
        with ThreadPoolExecutor(_CROWD + 1) as crowd:
            for number in range(_CROWD):
                crowd.submit(ask, system, began + seconds + 25, number)
            troubling.join()
            system.order("accounts/carol/pause")
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            crowd.submit(system.ask, "!pause-mid=40 tell me of rivers")
            portray(system, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 20.0)
