"""The site of documents in a real browser, as the gateway serves it; and what the pages weigh."""

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.support.browser.chat_page import AXE, LIMIT, Visitor
from tests.support.prerequisites import unavailable
from tests.support.processes import answers, free_port, process, wait_until
from tools import site

pytestmark = pytest.mark.browser

KEY = "planted-admin-key-4711"
# In bytes, as they are sent: a first visit, without anything from before.
HEAVIEST = 300_000
PAGES = [
    *("/docs/en/", "/docs/zh/", "/docs/en/guides/accounts.html", "/docs/zh/guides/accounts.html"),
    # Wide tables, and much code.
    *("/docs/en/reference/settings.html", "/docs/en/operations/capacity.html", "/docs/en/api/examples.html"),
    *("/docs/en/search.html?q=accounts", "/docs/zh/search.html?q=账号"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with a site in both languages, built for this test, and with its console on."""
    folder = tmp_path_factory.mktemp("site")
    for name, language in site.LANGUAGES.items():
        site.build(folder / "built" / name, language)
    site.pack(folder / "built", folder / "site.zip")
    (folder / "admins").write_text(f"olivia {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    port = free_port()
    settings = {
        "GATEWAY_PORT": str(port),
        "ADMIN_KEYS_FILE": str(folder / "admins"),
        "SITE_FILE": str(folder / "site.zip"),
    }
    with process("tests.support.browser.site_gateway", folder / "log.txt", **settings):
        address = f"http://127.0.0.1:{port}"
        wait_until(partial(answers, f"{address}/healthz"), f"{address} answers, see {folder / 'log.txt'}")
        yield address


@pytest.fixture
def reader(page: Page) -> Iterator[Visitor]:
    """Somebody who reads; nothing in the browser's console may complain."""
    reader = Visitor(page)
    yield reader
    assert reader.complaints == []


@pytest.mark.parametrize(("language", "query"), [("en", "idempotency"), ("zh", "重发")])
def test_a_search_finds_a_page_by_a_word_and_asks_nobody_else(
    reader: Visitor, url: str, language: str, query: str
) -> None:
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    reader.page.goto(f"{url}/docs/{language}/")
    reader.page.get_by_role("searchbox").or_(reader.page.locator("input[name=q]")).first.fill(query)
    reader.page.keyboard.press("Enter")
    reader.page.locator("#search-results li a[href*='api/idempotency.html']").first.click(timeout=LIMIT)
    expect(reader.page).to_have_url(re.compile(f"/docs/{language}/api/idempotency.html"))
    expect(reader.page.locator("article")).to_contain_text(query)
    assert {address for address in asked if not address.startswith((url, "data:"))} == set()


def test_links_work_from_the_address_without_a_slash(reader: Visitor, url: str) -> None:
    reader.page.goto(f"{url}/docs/en")
    reader.page.locator("article a[href*='getting-started']").first.click()
    expect(reader.page).to_have_url(f"{url}/docs/en/getting-started.html")
    assert reader.page.evaluate("getComputedStyle(document.querySelector('.sidebar-drawer')).display") == "flex"


def test_the_page_of_the_api_leads_to_all_other_pages(reader: Visitor, url: str) -> None:
    links = {"Chat": f"{url}/", "Console": f"{url}/console", "Guides": f"{url}/docs/en/", "使用指南": f"{url}/docs/zh/"}
    for name, address in links.items():
        reader.page.goto(f"{url}/docs")
        reader.page.locator(".links a", has_text=name).click()
        expect(reader.page).to_have_url(address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_can_be_used_by_everybody_on_every_screen(browser: Browser, url: str, scheme: Any, width: int) -> None:
    if not AXE.exists():
        unavailable("axe-core: run tests/browser/setup.sh")
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        reader = Visitor(context.new_page())
        for path in PAGES:
            reader.page.goto(f"{url}{path}")
            if "search" in path:
                expect(reader.page.locator("#search-results li").first).to_be_visible(timeout=LIMIT)
            assert reader.violations() == [], path
            assert reader.page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert reader.complaints == []


def size(response: Response) -> int:
    """What was sent, in bytes."""
    sizes = response.request.sizes()
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]


@pytest.mark.parametrize("path", ["/", "/console", "/docs", "/docs#sockets", "/docs#examples", *PAGES])
def test_no_page_weighs_more_than_300_kb_on_a_first_visit(page: Page, url: str, path: str) -> None:
    received: list[Response] = []
    page.on("response", lambda response: received.append(response))
    page.goto(f"{url}{path}", wait_until="networkidle")
    assert received
    sizes = {response.url: size(response) for response in received}
    assert sum(sizes.values()) <= HEAVIEST, sizes
