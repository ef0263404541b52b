"""Take the documents' pictures from real processes: `python -m tools.screenshots page|docs|console [--minutes N]`.

`page` takes the chat page's pictures, `docs` that of the page at /docs. `console` asks the emulator for so many
minutes, more and less, and has it make trouble, so that everything in the console's picture has happened.
"""

import argparse
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.support.browser.chat_page import Visitor
from tests.support.browser.chromium import chromium
from tests.support.browser.console_page import Operator
from tests.support.console_deployment import ConsoleDeployment, console_deployment
from tests.support.processes import ROOT, deployment, write_accounts
from tools.png import shrink

DOCS = ROOT / "docs"
QUESTION = "How is a list sorted?"
# More than one is asked at once, and each waits so many seconds at most before the next.
_CROWD = 4
_PAUSE = 6.0
# At which part of the time whose account meets what.
_TROUBLE = [(0.3, "bob", "internal"), (0.5, "alice", "close-mid"), (0.6, "dora", "captcha"), (0.75, "bob", "throttled")]


def save(page: Page, file: Path) -> None:
    """Take a picture, as small as it can be without a loss."""
    page.screenshot(path=file)
    shrink(file)


def wide(browser: Browser, url: str) -> None:
    """Take a conversation on a wide screen, in English, by day."""
    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 860}, color_scheme="light") as context:
        visitor = Visitor(context.new_page())
        visitor.open(url)
        for question in ("Plan a week of walks", "Compare tea and coffee", QUESTION):
            visitor.page.keyboard.press("Alt+n")
            visitor.ask(question)
            visitor.answered()
        visitor.page.wait_for_selector(".hljs-keyword")
        visitor.page.evaluate("document.querySelector('#scroll').scrollTop = 0")
        save(visitor.page, DOCS / "page.png")


def narrow(browser: Browser, url: str) -> None:
    """Take the same on a phone, in Chinese, by night, with pictures."""
    phone: Any = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 1.5, "has_touch": True}
    with browser.new_context(locale="zh-CN", color_scheme="dark", **phone) as context:
        visitor = Visitor(context.new_page())
        visitor.open(url)
        visitor.ask("彩虹是怎样形成的?")
        visitor.answered()
        visitor.page.evaluate("document.activeElement.blur(); document.querySelector('#scroll').scrollTop = 0")
        save(visitor.page, DOCS / "page-phone.png")
        visitor.page.locator("#question").fill("/image a red fox in the snow")
        visitor.page.keyboard.press("Enter")
        visitor.answered()
        visitor.sees("[...document.querySelectorAll('.gallery img')].every((image) => image.complete)")
        save(visitor.page, DOCS / "page-pictures.png")


def api_page(browser: Browser, url: str) -> None:
    """Take the page at /docs with a stream that was tried."""
    with browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 860}, color_scheme="light") as context:
        page = context.new_page()
        page.goto(f"{url}/docs#http/stream")
        form = page.locator("#stream .try")
        form.locator("summary").first.click()
        form.get_by_label("question").fill(QUESTION)
        form.get_by_role("button", name="Send").click()
        expect(form.locator(".result")).to_contain_text(" ms.", timeout=60_000)
        page.evaluate(f"""document.querySelectorAll(".command code").forEach((command) => {{
            command.textContent = command.textContent.replace("{url}", "http://127.0.0.1:5000");
        }})""")
        page.locator("#stream").evaluate("(entry) => entry.scrollIntoView()")
        page.evaluate("document.activeElement.blur()")
        save(page, DOCS / "api-page.png")


def take_docs() -> None:
    """Start a system, and take the picture of the page at /docs."""
    with tempfile.TemporaryDirectory() as folder, deployment(Path(folder), None) as running, chromium() as browser:
        api_page(browser, running.url)


def take_page() -> None:
    """Start a system, and take the pictures of the chat page."""
    settings = {"PROVIDER": "tests.support.browser.replay_provider:Upstream"}
    with (
        tempfile.TemporaryDirectory() as folder,
        deployment(Path(folder), None, settings=settings) as running,
        chromium() as browser,
    ):
        wide(browser, running.url)
        narrow(browser, running.url)


def ask(system: ConsoleDeployment, until: float, number: int) -> None:
    """Ask now and then, in waves."""
    dice = random.Random(number)
    while (now := time.monotonic()) < until:
        system.ask(f"what is a stream? {now:.1f}", gateway=number % 2)
        wave = 0.35 + 0.65 * abs((now / 240 + number / 9) % 2 - 1)
        time.sleep(dice.random() * _PAUSE * wave)


def trouble(system: ConsoleDeployment, began: float, seconds: float) -> None:
    """Let the accounts fail when their time comes."""
    for part, account, outcome in _TROUBLE:
        time.sleep(max(0.0, began + part * seconds - time.monotonic()))
        system.script(account=account, chat={"outcome": outcome, "times": 1})


def portray(system: ConsoleDeployment, file: Path) -> None:
    """Sign in, wait until all is there, and take the picture."""
    with chromium() as browser:
        context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 1250}, color_scheme="light")
        operator = Operator(context.new_page())
        operator.open(system.url)
        operator.shows("accounts", "alice", "ready")
        operator.page.locator("#answers tbody tr").first.wait_for()
        operator.page.wait_for_timeout(11_000)
        save(operator.page, file)


def take_console(file: Path, minutes: float) -> None:
    """Run the system, and take the picture at the end."""
    with tempfile.TemporaryDirectory() as folder, console_deployment(Path(folder), pace="0.5") as system:
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


def main() -> None:
    """Take what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("subject", choices=["page", "docs", "console"])
    parser.add_argument("--minutes", type=float, default=20.0, help="how long the console's system has been busy")
    arguments = parser.parse_args()
    if arguments.subject == "page":
        take_page()
    elif arguments.subject == "docs":
        take_docs()
    else:
        take_console(DOCS / "console.png", arguments.minutes)


if __name__ == "__main__":
    main()
