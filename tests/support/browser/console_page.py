"""An operator in front of the console."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.support.browser.chat_page import LIMIT, NOT_OURS, REPORT, violations
from tests.support.console_deployment import KEY


class Operator:
    """A page of the console, and what its browser complained about; `received` is all that the page was sent."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(LIMIT)
        page.add_init_script(REPORT)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not NOT_OURS.search(text):
            self.complaints.append(text)

    def open(self, url: str, key: str = KEY) -> None:
        """Sign in."""
        self.page.goto(f"{url}/console")
        self.page.locator("#key").fill(key)
        self.page.locator("#key").press("Enter")

    def row(self, table: str, name: str) -> Locator:
        """A row of a table."""
        return self.page.locator(f"#{table} tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    def shows(self, table: str, name: str, text: str | re.Pattern[str]) -> None:
        """Wait until a row says so."""
        expect(self.row(table, name)).to_contain_text(text, timeout=LIMIT)

    def shows_event(self, text: str | re.Pattern[str]) -> None:
        """Wait until the log of events says so."""
        expect(self.page.locator("#events tbody tr").filter(has_text=text).first).to_be_visible(timeout=LIMIT)

    def order(self, table: str, name: str, order: str) -> None:
        """Press a button, and say yes."""
        self.row(table, name).locator(f"[data-order={order}]").click()
        self.page.locator("#confirm-yes").click()
        expect(self.page.locator("#confirm")).to_be_hidden()

    def violations(self) -> list[str]:
        """What axe-core finds, a line each."""
        return violations(self.page)
