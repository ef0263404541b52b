"""The documentation's page in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser.chat_page import AXE, Visitor
from tests.support.prerequisites import unavailable
from tests.support.processes import Deployment

pytestmark = pytest.mark.browser


@pytest.fixture
def docs(page: Page, deployed: Deployment) -> Iterator[Page]:
    """The page, which must complain of nothing: no error, no breach of its policy, nothing that is missing."""
    visitor = Visitor(page)
    page.goto(f"{deployed.url}/docs")
    expect(page.locator(".entry").first).to_be_visible()
    yield page
    assert visitor.complaints == []


def test_every_operation_is_shown_with_all_that_belongs_to_it(docs: Page, deployed: Deployment) -> None:
    document = docs.request.get(f"{deployed.url}/openapi.json").json()
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            operation = item[method]
            entry = docs.locator(f"[id='{operation['operationId']}']")
            expect(entry.locator("summary").first).to_contain_text(f"{method.upper()}{path}{operation['summary']}")
            for status in operation["responses"]:
                expect(entry.locator(".status", has_text=status)).to_have_count(1)
    expect(docs.locator("[id='shape-Progress']")).to_contain_text("suggestions")


def test_an_address_opens_what_it_names(docs: Page, deployed: Deployment) -> None:
    docs.get_by_role("link", name="POST /v1/chat/completions").click()
    expect(docs.locator("#complete")).to_have_attribute("open", "")
    expect(docs.locator("#complete")).to_be_in_viewport()
    docs.goto(f"{deployed.url}/docs#sockets/v2-Final")
    docs.reload()
    expect(docs.locator("#v2-Final")).to_have_attribute("open", "")
    expect(docs.locator("#v2-Final")).to_contain_text("suggestions")


def test_the_sockets_and_the_examples_are_shown(docs: Page) -> None:
    docs.get_by_role("link", name="WebSocket", exact=True).click()
    expect(docs.locator("#v2 .entry")).to_have_count(10)
    docs.get_by_role("link", name="Examples", exact=True).click()
    expect(docs.locator("pre", has_text="from openai import OpenAI").first).to_be_visible()
    expect(docs.locator(".pages a", has_text="Examples")).to_have_attribute("aria-current", "page")


def test_a_search_leaves_what_holds_its_words(docs: Page) -> None:
    docs.get_by_role("searchbox").fill("pictures KEYWORD")
    expect(docs.locator(".entry[id=draw]")).to_be_visible()
    expect(docs.locator(".entry[id=ask]")).to_be_hidden()
    expect(docs.get_by_role("link", name="GET /healthz")).to_be_hidden()
    docs.get_by_role("searchbox").fill("")
    expect(docs.locator(".entry[id=ask]")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", ["http/ask", "http/complete", "sockets/v2-Final", "examples"])
def test_it_can_be_used_by_everybody_on_every_screen(
    browser: Browser, deployed: Deployment, scheme: Any, width: int, path: str
) -> None:
    if not AXE.exists():
        unavailable("axe-core: run tests/browser/setup.sh")
    with browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme) as context:
        visitor = Visitor(context.new_page())
        page = visitor.page
        page.goto(f"{deployed.url}/docs#{path}")
        expect(page.locator("section").first).to_be_visible()
        for summary in page.locator("section:not([id=shapes]) > details:nth-of-type(2n) > summary").all()[:6]:
            summary.click()
        assert visitor.violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")
        assert visitor.complaints == []
