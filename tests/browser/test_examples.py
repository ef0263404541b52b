"""The page of examples: what runs in a browser."""

import pytest
from playwright.sync_api import Page

from tests.support.examples import Example, examples, named
from tests.support.processes import Deployment

SCRIPTS = [example for example in examples() if example.language == "js"]


@pytest.mark.browser
@pytest.mark.parametrize("example", SCRIPTS, ids=named)
def test_an_example_prints_what_the_page_shows(page: Page, deployed: Deployment, example: Example) -> None:
    page.goto(f"{deployed.url}/healthz")
    with page.expect_console_message(lambda message: message.type == "log", timeout=15_000) as printed:
        page.evaluate(f"async () => {{ {example.at(deployed.url)} }}")
    assert example.prints(printed.value.text), printed.value.text
