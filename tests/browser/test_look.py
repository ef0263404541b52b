"""The chat page as people meet it: in their language and light, on a phone, by keyboard, by ear."""

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser.chat_page import AXE, LIMIT, Visitor
from tests.support.browser.chromium import System
from tests.support.prerequisites import unavailable

pytestmark = pytest.mark.browser

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 640}


@pytest.fixture
def phone(browser: Browser, system: System) -> Iterator[Visitor]:
    """Somebody with a narrow screen and no mouse."""
    with browser.new_context(
        locale="en-GB", viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
    ) as context:
        visitor = Visitor(context.new_page())
        visitor.open(system.url)
        yield visitor
        assert visitor.complaints == []


def background(visitor: Visitor) -> str:
    return str(visitor.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def lightness(visitor: Visitor) -> float:
    """Of the page's ground, from 0 to 255."""
    return sum(map(float, re.findall(r"[\d.]+", background(visitor))[:3])) / 3


@pytest.mark.parametrize(
    ("locale", "hint"),
    [("zh-CN", "问点什么"), ("zh-TW", "问点什么"), ("en-US", "Ask anything"), ("fr-FR", "Ask anything")],
)
def test_the_page_speaks_the_browsers_language_else_english(
    browser: Browser, system: System, locale: str, hint: str
) -> None:
    with browser.new_context(locale=locale) as context:
        visitor = Visitor(context.new_page())
        visitor.open(system.url)
        expect(visitor.page.locator("#question")).to_have_attribute("placeholder", hint)
        expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-CN" if "zh" in locale else "en")


def choose_chinese(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Preferences").click()
    visitor.page.get_by_label("中文").check(force=True)
    visitor.page.keyboard.press("Escape")


def test_language_can_be_switched_also_for_what_was_said_and_is_kept(visitor: Visitor) -> None:
    page = visitor.page
    visitor.ask("what is a stream?")
    visitor.answered()
    choose_chinese(visitor)
    expect(visitor.exchange.get_by_role("button", name="重新提问")).to_be_visible()
    expect(page.locator("#turns .full")).to_have_text("第 1 轮，共 30 轮")
    visitor.reload()
    expect(page.get_by_role("button", name="新会话")).to_be_visible()


def test_a_language_that_is_chosen_reaches_the_dialog_it_is_chosen_in(visitor: Visitor) -> None:
    dialog = visitor.page.get_by_role("dialog")
    visitor.page.get_by_role("button", name="Preferences").click()
    expect(dialog.get_by_role("radiogroup", name="Appearance")).to_be_visible()
    visitor.page.get_by_label("中文").check(force=True)
    expect(dialog.get_by_role("heading", name="偏好设置")).to_be_visible()
    expect(dialog.get_by_role("radiogroup", name="外观")).to_contain_text("跟随系统浅色深色")
    expect(dialog.get_by_role("button")).to_have_text("关闭")


def test_a_language_that_another_tab_chooses_reaches_every_open_dialog(visitor: Visitor) -> None:
    page = visitor.page
    visitor.ask("what is a stream?")
    visitor.answered()
    other = Visitor(page.context.new_page())
    other.open(page.url.partition("#")[0])
    texts = {"?": ("ask the last question again", "重新提出最后的问题"), "rename": ("Title", "标题")}
    texts |= {"remove": ("“what is a stream?” will be gone", "“what is a stream?”将从此浏览器中永久删除")}
    texts |= {"export": ("Save this conversation as a file.", "将此会话保存为文件。")}
    for opened, sentences in texts.items():
        page.bring_to_front()
        if opened == "?":
            page.locator("#scroll").focus()
            page.keyboard.press("?")
        else:
            page.locator("#export" if opened == "export" else f".{opened}-it").click()
        for language, sentence in zip(("English", "中文", "English"), (*sentences, sentences[0]), strict=True):
            other.page.evaluate(
                "(name) => localStorage.setItem('language', name)", "zh" if language == "中文" else "en"
            )
            expect(page.get_by_role("dialog")).to_contain_text(sentence)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(("locale", "name"), [("en-GB", "API and documentation"), ("zh-CN", "API 与文档")])
def test_the_page_links_to_the_documentation(browser: Browser, system: System, locale: str, name: str) -> None:
    with browser.new_context(locale=locale, viewport={"width": 1280, "height": 800}) as context:
        visitor = Visitor(context.new_page())
        visitor.open(system.url)
        visitor.page.get_by_role("link", name=name).click()
        expect(visitor.page).to_have_url(f"{system.url}/docs")


def test_code_and_tables_are_named_in_the_language_that_is_chosen_later(visitor: Visitor) -> None:
    visitor.ask("play: rich")
    visitor.answered()
    expect(visitor.exchange.get_by_role("group", name="Table").first).to_be_attached()
    choose_chinese(visitor)
    expect(visitor.exchange.get_by_role("button", name="复制代码").first).to_have_attribute("title", "复制代码")
    expect(visitor.exchange.get_by_role("group", name="代码，python").first).to_be_attached()
    expect(visitor.exchange.get_by_role("group", name="表格").first).to_be_attached()


@pytest.mark.parametrize(
    ("question", "english", "chinese"),
    [
        ("!internal why?", "It failed (500): The upstream had an internal error", "失败（500）：上游内部错误"),
        (
            "/image a river !blocked",
            "It failed (500): The picture's description was blocked",
            "失败（500）：图片描述被屏蔽",
        ),
    ],
)
def test_a_failure_is_shown_in_the_language_that_is_chosen_later(
    visitor: Visitor, question: str, english: str, chinese: str
) -> None:
    visitor.page.locator("#question").fill(question)
    visitor.page.keyboard.press("Enter")
    expect(visitor.status).to_have_text(english, timeout=LIMIT)
    choose_chinese(visitor)
    expect(visitor.status).to_have_text(chinese)
    visitor.reload()
    expect(visitor.status).to_have_text(chinese)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_light_or_dark_as_the_system_until_somebody_chooses(
    browser: Browser, system: System, scheme: str
) -> None:
    other = "Dark" if scheme == "light" else "Light"
    with browser.new_context(color_scheme="dark" if scheme == "dark" else "light", locale="en-GB") as context:
        visitor = Visitor(context.new_page())
        visitor.open(system.url)
        assert (lightness(visitor) > 128) == (scheme == "light")
        visitor.page.get_by_role("button", name="Preferences").click()
        visitor.page.get_by_label(other).check(force=True)
        visitor.page.keyboard.press("Escape")
        assert (lightness(visitor) > 128) == (scheme == "dark")
        visitor.reload()
        assert (lightness(visitor) > 128) == (scheme == "dark")


def test_on_a_phone_nothing_is_cut_off_and_the_list_is_a_drawer(phone: Visitor) -> None:
    page = phone.page
    for question in ("play: rich", "play: hostile"):
        phone.ask(question)
        phone.answered()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate("document.querySelector('#scroll').scrollWidth") <= PHONE["width"]
    page.locator("#question").fill("/image a red fox")
    page.keyboard.press("Enter")
    phone.answered()
    expect(phone.exchange.locator(".gallery img")).to_have_count(4)
    edges = page.evaluate(
        "[...document.querySelectorAll('.gallery img')].map((one) => one.getBoundingClientRect().right)"
    )
    assert max(edges) <= PHONE["width"]
    expect(page.locator("#send")).to_be_in_viewport()
    expect(page.locator("#side")).not_to_be_in_viewport()
    page.get_by_role("button", name="Conversations").tap()
    expect(page.locator("#side")).to_be_in_viewport()
    page.get_by_role("button", name="New conversation").tap()
    expect(page.locator("#side")).not_to_be_in_viewport()
    expect(page.locator(".exchange")).to_have_count(0)


def test_everything_can_be_done_by_keyboard(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    expect(visitor.exchange.locator(".asked p")).to_have_text("first line\nsecond line")
    visitor.answered()
    page.keyboard.press("Alt+r")
    expect(page.locator(".exchange")).to_have_count(2)
    visitor.answered()
    page.keyboard.press("Alt+n")
    expect(page.locator(".exchange")).to_have_count(0)
    page.keyboard.type("!deltas=60 !rate=20 by keyboard")
    page.keyboard.press("Enter")
    visitor.grows("delta 000003")
    page.keyboard.press("Escape")
    visitor.answered()
    expect(visitor.status).to_have_text("Stopped.")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator(".exchange")).to_have_count(2)
    # From the question to its style, and another style.
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Creative")).to_be_checked()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("ask the last question again")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("#question")).to_be_focused()


def test_each_control_is_reached_by_tab_in_the_order_of_the_page(visitor: Visitor) -> None:
    visitor.ask("what is a stream?")
    visitor.answered()
    reached = []
    visitor.page.locator(".skip").focus()
    reached.append("skip")
    for _ in range(40):
        visitor.page.keyboard.press("Tab")
        reached.append(visitor.page.evaluate("document.activeElement.id || document.activeElement.className"))
    order = ["skip", "fresh", "open-it", "rename-it plain small", "remove-it plain small", "export", "question", "send"]
    places = [reached.index(name) for name in order]
    assert places == sorted(places)


def test_an_answer_is_announced_in_sentences_and_not_word_by_word(visitor: Visitor) -> None:
    visitor.page.evaluate(
        """window.announced = [];
        new MutationObserver((changes) => changes.forEach(({addedNodes}) =>
          addedNodes.forEach((node) => window.announced.push(node.textContent))
        )).observe(document.getElementById("announcer"), {childList: true});"""
    )
    visitor.ask("what is a stream?")
    visitor.answered()
    visitor.sees("announced.join(' ').includes('The answer is complete.')")
    announced = visitor.page.evaluate("announced")
    assert 2 <= len(announced) <= 6
    assert "I am only a stand-in for Bing, so I know no facts about it." in " ".join(announced)
    assert visitor.page.locator("#announcer").get_attribute("aria-live") == "polite"


def test_a_reader_who_has_scrolled_up_stays_there_and_can_jump_to_the_end(visitor: Visitor) -> None:
    page = visitor.page
    visitor.ask("play: rich")
    visitor.answered()
    visitor.ask("!deltas=60 !rate=20 below")
    visitor.grows("delta 000003")
    page.locator("#scroll").hover()
    page.mouse.wheel(0, -3000)
    expect(page.locator("#latest")).to_be_visible()
    scroll = page.evaluate("document.querySelector('#scroll').scrollTop")
    visitor.grows("delta 000040")
    assert page.evaluate("document.querySelector('#scroll').scrollTop") == scroll
    page.locator("#latest").click()
    expect(page.locator("#latest")).to_be_hidden()
    visitor.answered()
    expect(visitor.exchange.get_by_role("button", name="Ask again")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(browser: Browser, system: System, scheme: str) -> None:
    if not AXE.exists():
        unavailable("axe-core: run tests/browser/setup.sh")
    with browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", locale="en-GB", reduced_motion="reduce"
    ) as context:
        visitor = Visitor(context.new_page())
        page = visitor.page
        visitor.open(system.url)
        assert visitor.violations() == [], "new"
        visitor.ask("play: rich")
        assert visitor.violations() == [], "running"
        visitor.answered()
        page.wait_for_selector(".hljs-keyword")
        assert visitor.violations() == [], "answered"
        visitor.ask(f"!close-mid !deltas=20 {uuid.uuid4().hex[:8]}")
        visitor.answered()
        expect(visitor.status).to_contain_text("interrupted", timeout=LIMIT)
        assert visitor.violations() == [], "interrupted, new topic"
        page.locator("#question").fill("/image a red fox")
        page.keyboard.press("Enter")
        visitor.answered()
        assert visitor.violations() == [], "pictures"
        for name in ("Export", "Preferences", "Keyboard and help"):
            page.get_by_role("button", name=name).click()
            assert visitor.violations() == [], name
            page.keyboard.press("Escape")
        page.locator("#conversations li").hover()
        page.get_by_role("button", name="Delete “").click()
        assert visitor.violations() == [], "Delete"
        page.keyboard.press("Escape")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert visitor.violations() == [], "phone"
        page.get_by_role("button", name="Conversations").click()
        visitor.sees("document.querySelector('#side').getBoundingClientRect().left === 0")
        assert visitor.violations() == [], "drawer"
