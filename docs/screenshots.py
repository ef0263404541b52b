"""Takes the pictures of the chat page for the documents, from real processes: `python -m docs.screenshots`."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.visitor import Visitor
from tests.processes import deployment

HERE = Path(__file__).parent
QUESTION = "How is a list sorted?"


def wide(browser: Browser, url: str) -> None:
    """A conversation on a wide screen, in English, by day."""
    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 860}, color_scheme="light") as context:
        visitor = Visitor(context.new_page())
        visitor.open(url)
        for question in ("Plan a week of walks", "Compare tea and coffee", QUESTION):
            visitor.page.keyboard.press("Alt+n")
            visitor.ask(question)
            visitor.answered()
        visitor.page.wait_for_selector(".hljs-keyword")
        visitor.page.evaluate("document.querySelector('#scroll').scrollTop = 0")
        visitor.page.screenshot(path=HERE / "page.png")


def narrow(browser: Browser, url: str) -> None:
    """The same on a phone, in Chinese, by night, with pictures."""
    phone: Any = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 1.5, "has_touch": True}
    with browser.new_context(locale="zh-CN", color_scheme="dark", **phone) as context:
        visitor = Visitor(context.new_page())
        visitor.open(url)
        visitor.ask("彩虹是怎样形成的?")
        visitor.answered()
        visitor.page.evaluate("document.activeElement.blur(); document.querySelector('#scroll').scrollTop = 0")
        visitor.page.screenshot(path=HERE / "page-phone.png")
        visitor.page.locator("#question").fill("/image a red fox in the snow")
        visitor.page.keyboard.press("Enter")
        visitor.answered()
        visitor.sees("[...document.querySelectorAll('.gallery img')].every((image) => image.complete)")
        visitor.page.screenshot(path=HERE / "page-pictures.png")


def main() -> None:
    """Start a system, and take them all."""
    settings = {"PROVIDER": "tests.browser.upstream:Upstream"}
    with (
        tempfile.TemporaryDirectory() as folder,
        deployment(Path(folder), None, settings=settings) as running,
        sync_playwright() as playwright,
    ):
        executable = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS, env=dict(os.environ))
        wide(browser, running.url)
        narrow(browser, running.url)
        browser.close()


if __name__ == "__main__":
    main()
