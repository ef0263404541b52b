"""Somebody who uses the chat page: what they do, and what they see."""

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.support.processes import ROOT, wait_until

LIMIT = 20_000
AXE = ROOT / "tests/browser/node_modules/axe-core/axe.min.js"
# The browser logs requests that the page itself ended, or that met a dead gateway.
NOT_OURS = re.compile("Failed to load resource|net::ERR")
REPORT = """addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
});"""


def violations(page: Page) -> list[str]:
    """What axe-core finds in a page as it is now, a line each."""
    page.evaluate(AXE.read_text())
    result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert result["passes"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


@dataclass
class Visitor:
    """A page, and what its console complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(REPORT)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not NOT_OURS.search(message.text):
            self.complaints.append(message.text)

    def open(self, url: str) -> None:
        """Go to the page, and wait until it can be used."""
        self.page.goto(url)
        self.ready()

    def reload(self) -> None:
        self.page.reload()
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("html[data-ready]", timeout=LIMIT)

    def ask(self, question: str) -> None:
        self.page.locator("#question").fill(question)
        self.page.locator("#question").press("Enter")
        expect(self.exchange.locator(".asked p")).to_have_text(question)

    def answered(self) -> None:
        """Wait for the end of the answer."""
        expect(self.page.locator("#stop")).to_be_hidden(timeout=LIMIT)

    @property
    def exchange(self) -> Locator:
        """The last question with its answer."""
        return self.page.locator(".exchange").last

    @property
    def text(self) -> Locator:
        """The last answer's text."""
        return self.exchange.locator(".text")

    @property
    def status(self) -> Locator:
        return self.exchange.locator(".status")

    def grows(self, pattern: str) -> None:
        """Wait until the last answer's text matches."""
        expect(self.text).to_contain_text(re.compile(pattern), timeout=LIMIT)

    def sees(self, expression: str) -> None:
        """Wait until an expression holds in the page: Playwright's own way needs eval, which the page forbids."""
        wait_until(lambda: self.page.evaluate(expression), expression)

    def violations(self) -> list[str]:
        """What axe-core finds, a line each."""
        return violations(self.page)
