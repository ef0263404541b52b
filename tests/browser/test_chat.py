"""The chat page against real processes: what is asked, and what becomes of it."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.browser.chat_page import LIMIT, Visitor
from tests.support.browser.chromium import System
from tests.support.processes import answers, free_port, process, wait_until
from tests.support.tcp_proxy import ProxyThread

pytestmark = pytest.mark.browser


@pytest.fixture
def question() -> str:
    """Half a minute of an answer, if it isn't stopped."""
    return f"!deltas=60 !rate=20 hello {uuid.uuid4().hex[:8]}"


@pytest.fixture
def throttled(system: System) -> Iterator[None]:
    """No account may be asked, for a day."""
    deployed = system.deployed
    deployed.script(account="*", chat={"outcome": "throttled", "times": None})

    def refused() -> bool:
        fields = {"style": "balanced", "question": "does anybody answer?"}
        return bool(httpx.get(f"{deployed.url}/api", params=fields, timeout=20).json()["code"] == 120)

    wait_until(refused, "all accounts are throttled")
    yield
    deployed.script(reset=True)
    deployed.renew(uuid.uuid4().hex[:8])


def whole(deltas: int) -> str:
    return " ".join(f"delta {number:06}" for number in range(1, deltas + 1))


@pytest.mark.sample
def test_an_answer_streams_and_ends_with_sources_suggestions_and_the_turn(visitor: Visitor, system: System) -> None:
    visitor.ask("what is a stream?")
    visitor.answered()
    expect(visitor.text.locator("ol > li")).to_have_count(3)
    expect(visitor.text.locator("strong").first).to_have_text("what is a stream?")
    expect(visitor.exchange.locator(".sources li")).to_have_count(3)
    expect(visitor.page.locator("#turns .full")).to_have_text("Turn 1 of 30")
    visitor.exchange.get_by_role("button", name="Tell me more about it.").click()
    visitor.answered()
    expect(visitor.page.locator(".exchange")).to_have_count(2)
    expect(visitor.text).to_contain_text("question 2 of our conversation")
    expect(visitor.page.locator(".chips")).to_have_count(1)


def test_a_stopped_answer_keeps_its_text_and_ends_the_topic(visitor: Visitor, system: System, question: str) -> None:
    visitor.ask(question)
    visitor.grows("delta 000005")
    visitor.page.get_by_role("button", name="Stop the answer").click()
    visitor.answered()
    expect(visitor.status).to_have_text("Stopped.")
    expect(visitor.text).to_contain_text("delta 000005")
    expect(visitor.exchange.locator(".divider")).to_contain_text("New topic")
    wait_until(
        lambda: system.deployed.turns(question)[0]["outcome"] in ("stopped", "client gone"),
        "the upstream has heard of it",
    )


def test_an_answer_continues_after_a_reload(visitor: Visitor, system: System, question: str) -> None:
    visitor.ask(question)
    visitor.grows("delta 000010")
    visitor.reload()
    visitor.grows("delta 000012")
    visitor.answered()
    expect(visitor.text).to_have_text(whole(60))
    assert len(system.deployed.turns(question)) == 1


def test_an_answer_continues_in_a_second_tab_and_ends_in_both(visitor: Visitor, system: System, question: str) -> None:
    other = Visitor(visitor.page.context.new_page())
    other.open(system.url)
    visitor.page.bring_to_front()
    visitor.ask(question)
    visitor.grows("delta 000005")
    title = other.page.locator("#conversations .open-it")
    expect(title).to_contain_text(question)
    title.click()
    for tab in (other, visitor):
        tab.page.bring_to_front()
        tab.answered()
        expect(tab.text).to_have_text(whole(60))
    visitor.ask("and now?")
    visitor.answered()
    expect(other.page.locator(".exchange")).to_have_count(2)
    assert len(system.deployed.turns(question)) == 1
    assert other.complaints == []


def test_an_answer_continues_in_a_second_tab_when_the_first_one_is_closed(
    visitor: Visitor, system: System, question: str
) -> None:
    asker = Visitor(visitor.page.context.new_page())
    asker.open(system.url)
    asker.ask(question)
    asker.grows("delta 000003")
    visitor.page.bring_to_front()
    visitor.page.locator("#conversations .open-it", has_text=question).click()
    asker.page.close()
    visitor.answered()
    expect(visitor.text).to_have_text(whole(60))
    assert len(system.deployed.turns(question)) == 1


def test_an_answer_continues_when_its_gateway_is_killed(
    visitor: Visitor, system: System, question: str, tmp_path: Path
) -> None:
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log.txt"
    settings = {"GATEWAY_PORT": str(port), "REDIS_URL": system.redis_url}
    with process("gateway", log, **settings) as doomed:
        wait_until(lambda: answers(f"{url}/readyz"), "the gateway answers")
        visitor.open(url)
        visitor.ask(question)
        visitor.grows("delta 000005")
        doomed.kill()
        doomed.wait(10)
        expect(visitor.status).to_contain_text("Connection lost", timeout=LIMIT)
    with process("gateway", log, **settings):
        visitor.answered()
        expect(visitor.text).to_have_text(whole(60))
        expect(visitor.status).to_be_hidden()
    assert len(system.deployed.turns(question)) == 1


def test_an_answer_continues_after_the_network_was_away(visitor: Visitor, system: System, question: str) -> None:
    with ProxyThread() as proxy_thread:
        proxy = proxy_thread.proxy(urlsplit(system.url).port or 0)
        visitor.open(f"http://127.0.0.1:{proxy.port}")
        visitor.ask(question)
        visitor.grows("delta 000005")
        proxy.reset(refuse=True)
        expect(visitor.status).to_contain_text("Connection lost", timeout=LIMIT)
        proxy.heal()
        visitor.answered()
        expect(visitor.text).to_have_text(whole(60))
        expect(visitor.status).to_be_hidden()
    assert len(system.deployed.turns(question)) == 1


def test_an_interrupted_answer_says_so_and_can_be_asked_again_in_its_place(visitor: Visitor) -> None:
    visitor.ask(f"!close-mid !once !deltas=20 {uuid.uuid4().hex[:8]}")
    visitor.answered()
    expect(visitor.status).to_contain_text("interrupted")
    expect(visitor.text).to_contain_text("delta 000010")
    visitor.exchange.get_by_role("button", name="Ask again").click()
    visitor.answered()
    expect(visitor.status).to_be_hidden()
    expect(visitor.page.locator(".exchange")).to_have_count(1)


def test_a_conversation_that_the_upstream_ends_begins_a_new_topic(visitor: Visitor) -> None:
    visitor.ask("!turn-limit that was the last one")
    visitor.answered()
    expect(visitor.exchange.locator(".divider")).to_contain_text("The next question begins a new conversation.")


def test_pictures_come_as_a_gallery_and_only_for_latin_words(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Pictures").click()
    visitor.page.locator("#question").fill("一只猫")
    visitor.page.locator("#question").press("Enter")
    expect(visitor.page.locator("#note")).to_contain_text("Latin letter")
    expect(visitor.page.locator(".exchange")).to_have_count(0)
    visitor.ask("a red fox")
    visitor.answered()
    pictures = visitor.exchange.locator(".gallery img")
    expect(pictures).to_have_count(4)
    expect(pictures.first).to_have_js_property("naturalWidth", 512)
    visitor.page.get_by_role("button", name="Pictures").click()
    visitor.page.locator("#question").fill("/image a blue bird")
    visitor.page.locator("#question").press("Enter")
    expect(visitor.exchange.locator(".asked p")).to_have_text("a blue bird")
    visitor.answered()
    expect(visitor.exchange.locator(".gallery img")).to_have_count(4)


def test_conversations_are_kept_renamed_and_removed(visitor: Visitor, system: System) -> None:
    page, side = visitor.page, visitor.page.locator("#conversations")
    visitor.ask("the first one")
    visitor.answered()
    page.get_by_role("button", name="New conversation").click()
    visitor.ask("the second one")
    visitor.answered()
    expect(side.locator(".open-it")).to_have_text(["the second one", "the first one"])
    side.locator("li", has_text="the first one").hover()
    page.get_by_role("button", name="Rename “the first one”").click()
    page.get_by_label("Title").fill("another name")
    page.get_by_role("button", name="Save", exact=True).click()
    # It is shown once it is kept.
    expect(side.get_by_text("another name")).to_be_visible()
    visitor.reload()
    side.get_by_text("another name").click()
    expect(visitor.exchange.locator(".asked p")).to_have_text("the first one")
    expect(visitor.text).to_contain_text("question 1 of our conversation")
    side.locator("li", has_text="another name").hover()
    page.get_by_role("button", name="Delete “another name”").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(side.locator(".open-it")).to_have_text(["the second one"])
    expect(page.locator(".exchange")).to_have_count(0)
    visitor.reload()
    expect(side.locator(".open-it")).to_have_text(["the second one"])


def test_a_conversation_continues_after_a_reload_where_it_was(visitor: Visitor) -> None:
    visitor.ask("remember this")
    visitor.answered()
    visitor.reload()
    visitor.ask("and that")
    visitor.answered()
    expect(visitor.text).to_contain_text("before it you asked “remember this”")


@pytest.mark.parametrize("form", ["Markdown", "JSON"])
def test_a_conversation_can_be_saved_as_a_file(visitor: Visitor, form: str) -> None:
    visitor.ask("what is saved?")
    visitor.answered()
    visitor.page.get_by_role("button", name="Export").click()
    visitor.page.get_by_label(form).check(force=True)
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("button", name="Save", exact=True).click()
    content = Path(waiting.value.path()).read_text()
    assert waiting.value.suggested_filename == f"what is saved.{'md' if form == 'Markdown' else 'json'}"
    if form == "JSON":
        [exchange] = json.loads(content)["exchanges"]
        assert exchange["question"] == "what is saved?"
        assert "**what is saved?**" in exchange["answer"]
    else:
        assert content.startswith("# what is saved?\n\n## what is saved?\n\n")
        assert "1. [An overview of the topic](https://www.example.com/" in content


def test_code_and_answers_can_be_copied(visitor: Visitor) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.ask("play: rich")
    visitor.answered()
    visitor.exchange.get_by_role("button", name="Copy the code").click()
    expect(visitor.exchange.get_by_role("button", name="Copied")).to_be_visible()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("def merge_sort(")
    assert copied.endswith("# n comparisons at most")
    visitor.exchange.get_by_role("button", name="Copy the answer").click()
    visitor.sees("navigator.clipboard.readText().then((text) => text.startsWith('# Sorting'))")


def test_an_empty_pool_says_when_it_is_back(visitor: Visitor, throttled: None) -> None:
    visitor.ask(f"anybody there? {uuid.uuid4().hex[:8]}")
    visitor.answered()
    expect(visitor.status).to_have_text(re.compile(r"All accounts are resting; back (at|tomorrow at) \d\d:\d\d\."))
    expect(visitor.exchange.get_by_role("button", name="Ask again")).to_be_visible()
