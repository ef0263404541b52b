"""The documentation's page in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.processes import Deployment

pytestmark = pytest.mark.browser


@pytest.fixture
def docs(page: Page, deployed: Deployment) -> Iterator[Page]:
    """The page, which must complain of nothing: no error, no breach of its policy, nothing that is missing."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{deployed.url}/docs")
    expect(page.locator(".entry").first).to_be_visible()
    yield page
    assert complaints == []


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
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, deployed: Deployment, scheme: str) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        for place in ("http/ask", "http/complete", "sockets/v2-Final", "examples"):
            page.goto(f"{deployed.url}/docs#{place}")
            page.reload()
            expect(page.locator("section").first).to_be_visible()
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            assert page.evaluate("document.documentElement.scrollWidth") == 360
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")
