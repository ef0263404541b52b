"""Answers that mean harm change nothing outside their bubble."""

import pytest
from playwright.sync_api import Request, expect

from tests.support.browser.chat_page import Visitor
from tests.support.browser.chromium import System

pytestmark = pytest.mark.browser

# The parts of the page that aren't an answer, and their places.
OUTSIDE = """() => [...document.querySelectorAll("[id]")]
  .filter((one) => !one.closest("#log, #announcer") && one.id !== "latest")
  .map((one) => [one.localName, one.id, one.className, JSON.stringify(one.getBoundingClientRect())].join(" "))"""


WRITTEN = ".text :is(p, a, span, code, em, strong)"
NAMES = "(one) => one.getAttributeNames()"


def ask_and_wait(visitor: Visitor, question: str) -> None:
    visitor.ask(question)
    visitor.answered()


@pytest.fixture
def fetched(visitor: Visitor) -> list[str]:
    """The addresses that the page has asked for from now on."""
    addresses: list[str] = []

    def note(request: Request) -> None:
        addresses.append(request.url)

    visitor.page.on("request", note)
    return addresses


def test_a_hostile_answer_runs_loads_and_changes_nothing(visitor: Visitor, system: System, fetched: list[str]) -> None:
    ask_and_wait(visitor, "play: rich")
    before = visitor.page.evaluate(OUTSIDE)
    ask_and_wait(visitor, "play: hostile")
    assert visitor.page.evaluate(OUTSIDE) == before
    assert visitor.page.evaluate("window.hurt") is None
    assert visitor.page.title().startswith("play: rich")
    assert all(address.startswith((system.url, "data:")) for address in fetched), fetched


def test_a_hostile_answers_elements_are_only_those_of_text(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: hostile")
    names = set(visitor.page.evaluate("[...document.querySelectorAll('.text *')].map((one) => one.localName)")) - {
        "div",
        "figure",
        "figcaption",
        "button",
        "svg",
        "path",
    }
    assert names <= {"p", "a", "span", "pre", "code", "em", "strong", "br", "table", "thead", "tbody", "tr", "th", "td"}
    attributes = set(visitor.page.evaluate(f"[...document.querySelectorAll('{WRITTEN}')].flatMap({NAMES})"))
    assert attributes <= {"href", "title", "class", "rel", "target"}


def test_links_lead_to_the_web_only_and_send_no_referrer(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: hostile")
    links = visitor.page.evaluate(
        "[...document.querySelectorAll('.answer a')].map(({href, rel, target}) => ({href, rel, target}))"
    )
    assert len(links) >= 5
    for link in links:
        assert link["href"].startswith("https://")
        assert link["rel"] == "noopener noreferrer nofollow"
        assert link["target"] == "_blank"
    expect(visitor.exchange.locator(".sources li")).to_have_count(1)


def test_overrides_of_direction_are_shown_by_name(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: hostile")
    expect(visitor.text).to_contain_text("[U+202E]gnp.exe[U+202C] and isolates [U+2067]abc[U+2069] end here.")
    expect(visitor.exchange.locator(".chips button").last).to_have_text("[U+202E]right to left")


def test_overrides_of_direction_that_markdown_decodes_are_shown_by_name(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: hostile")
    expect(visitor.text).to_contain_text("By number [U+202E]gnp.exe[U+202C], &#x202E; and https://example.org/")
    shown = visitor.text.evaluate("(one) => one.textContent + [...one.querySelectorAll('a')].map((a) => a.title)")
    assert "[U+2067]y" in shown
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


COLOURED = (
    "[...document.querySelectorAll('.exchange:last-child figure code')].map((one) => !!one.querySelector('span'))"
)


def test_a_large_block_of_code_stays_plain(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: large block")
    visitor.sees(f"({COLOURED})[1]")
    plain = visitor.exchange.locator("figure code").first.evaluate("(one) => !one.querySelector('[class^=hljs]')")
    assert plain


def test_once_colours_took_long_there_are_no_more(visitor: Visitor) -> None:
    visitor.page.evaluate("() => { let now = 0; performance.now = () => now += 1000; }")
    ask_and_wait(visitor, "play: blocks")
    visitor.sees(f"({COLOURED})[0]")
    # What is behind the first block had its time before this.
    visitor.page.evaluate("new Promise((resolve) => requestIdleCallback(() => requestIdleCallback(resolve)))")
    assert visitor.page.evaluate(COLOURED) == [True, False, False]


def test_a_line_of_a_million_characters_wraps_and_leaves_the_page_usable(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: line")
    visitor.sees("document.querySelector('.text').textContent.length >= 1_000_000")
    assert visitor.page.evaluate("document.querySelector('#scroll').scrollWidth") <= 1280
    ask_and_wait(visitor, "what is a stream?")
    expect(visitor.text).to_contain_text("stand-in for Bing")


def test_tables_that_few_characters_stand_for_are_shown_as_text(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: sparse tables")
    visitor.sees("document.querySelector('.text').textContent.split('|-|-').length > 2000")
    assert visitor.page.evaluate("document.querySelectorAll('.text *').length") < 100


def test_a_block_of_code_with_a_long_first_line_leaves_the_page_usable(visitor: Visitor) -> None:
    ask_and_wait(visitor, "play: long line")
    visitor.sees("document.querySelector('.text').textContent.includes('y'.repeat(30_000))")
    ask_and_wait(visitor, "what is a stream?")
    expect(visitor.text).to_contain_text("stand-in for Bing")


def test_a_long_block_of_code_stays_one_block(visitor: Visitor) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask_and_wait(visitor, "play: code")
    expect(visitor.text).to_contain_text("The end.")
    expect(visitor.text.locator("figure.code")).to_have_count(1)
    visitor.exchange.get_by_role("button", name="Copy the code").click()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert copied == "\n".join(f"value_{line} = {line}" for line in range(2500))


def test_a_question_is_shown_as_it_was_written(visitor: Visitor) -> None:
    question = "<img src=x onerror=window.hurt=8> **not bold** \u202eevil"
    visitor.page.locator("#question").fill(question)
    visitor.page.keyboard.press("Enter")
    visitor.answered()
    expect(visitor.exchange.locator(".asked p")).to_have_text(question.replace("\u202e", "[U+202E]"))
    expect(visitor.page.locator("#conversations")).to_contain_text("<img src=x")
    assert visitor.page.evaluate("window.hurt") is None
