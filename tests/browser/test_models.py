"""The chat page with models: which one is asked and which one answered, what it thought, and what it calls."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, WebSocketRoute, expect

from tests.support.browser.chat_page import AXE, LIMIT, Visitor
from tests.support.browser.chromium import System
from tests.support.prerequisites import unavailable

pytestmark = pytest.mark.browser

THOUGHT = "First I look <b>at</b> the question."
CALL = {"id": "c1", "name": "get_weather", "arguments": '{"city":"Rome"}'}


@pytest.fixture(params=["en-GB", "zh-CN"])
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reader(browser: Browser, system: System, locale: str) -> Iterator[Visitor]:
    """Somebody in one of the two languages, whose gateway lists a server's model that Bing answers for."""
    with browser.new_context(locale=locale, viewport={"width": 1280, "height": 800}) as context:
        visitor = Visitor(context.new_page())
        visitor.page.route("**/v1/models", list_models)
        visitor.page.route(re.compile(r"/answers/[^/]+$"), add_thoughts)
        visitor.page.route_web_socket(re.compile("/ws_stream"), ask_bing)
        visitor.open(system.url)
        yield visitor
        assert visitor.complaints == []


def list_models(route: Route) -> None:
    response = route.fetch()
    body = response.json()
    body["data"].append({"id": "org/thinker", "object": "model", "created": 1, "owned_by": "openai"})
    route.fulfill(response=response, json=body)


def add_thoughts(route: Route) -> None:
    """Let the answer have what only a server's model gives."""
    response = route.fetch()
    body = response.json()
    if body["code"] == 200:
        body["data"] |= {"reasoning": THOUGHT, "model": "thinker-2"}
        body["data"]["tool_calls"] = [CALL] if body["data"]["state"] == "done" else []
    route.fulfill(response=response, json=body)


def add_call(route: Route, call: dict[str, str]) -> None:
    response = route.fetch()
    body = response.json()
    if body["code"] == 200 and body["data"]["state"] == "done":
        body["data"]["tool_calls"] = [call]
    route.fulfill(response=response, json=body)


def ask_bing(socket: WebSocketRoute) -> None:
    server = socket.connect_to_server()

    def pass_on(message: str | bytes) -> None:
        asked: dict[str, Any] = json.loads(message)
        assert asked.pop("model") == "org/thinker"
        server.send(json.dumps(asked | {"style": "balanced"}))

    socket.on_message(pass_on)


def choose(visitor: Visitor) -> None:
    visitor.page.locator("#model").select_option("org/thinker")


def test_reasoning_is_folded_and_says_how_long_it_lasted(reader: Visitor, locale: str) -> None:
    english = locale == "en-GB"
    choose(reader)
    expect(reader.page.get_by_role("radio").first).to_be_disabled()
    reader.ask(f"!first=4 think {uuid.uuid4().hex[:8]}")
    folded = reader.exchange.locator("details.reasoning")
    expect(folded.locator("summary")).to_have_text("Thinking…" if english else "正在思考…", timeout=LIMIT)
    expect(folded.get_by_text(THOUGHT)).to_be_hidden()
    reader.answered()
    for_seconds = r"Thought for \d+ s" if english else r"思考了 \d+ 秒"
    expect(folded.locator("summary")).to_have_text(re.compile(for_seconds))
    folded.locator("summary").click()
    expect(folded.get_by_text(THOUGHT)).to_be_visible()
    expect(reader.exchange.locator(".by")).to_have_text("thinker-2")
    title = folded.locator("summary").inner_text()
    reader.reload()
    expect(folded.locator("summary")).to_have_text(title)


def test_a_call_of_a_tool_is_shown_with_its_name_and_arguments(reader: Visitor) -> None:
    choose(reader)
    reader.ask(f"call {uuid.uuid4().hex[:8]}")
    reader.answered()
    call = reader.exchange.locator(".calls")
    expect(call.locator("p code")).to_have_text("get_weather")
    expect(call.locator("pre")).to_have_text('{\n  "city": "Rome"\n}')


def test_a_choice_of_a_model_is_kept_and_bing_has_its_styles_again(reader: Visitor) -> None:
    picker = reader.page.locator("#model")
    choose(reader)
    reader.reload()
    expect(picker).to_have_value("org/thinker")
    expect(reader.page.get_by_role("radio").first).to_be_disabled()
    picker.select_option("")
    expect(reader.page.get_by_role("radio").first).to_be_enabled()


def test_without_models_of_servers_there_is_no_choice(visitor: Visitor) -> None:
    expect(visitor.page.locator("#model")).to_be_hidden()


def test_a_model_that_is_gone_is_reported_in_a_sentence(browser: Browser, system: System) -> None:
    with browser.new_context(locale="en-GB") as context:
        visitor = Visitor(context.new_page())
        visitor.page.route("**/v1/models", list_models)
        visitor.open(system.url)
        choose(visitor)
        visitor.ask("hello")
        expect(visitor.status).to_contain_text("There is no model org/thinker", timeout=LIMIT)


def test_overrides_of_direction_in_models_and_calls_are_shown_by_name(browser: Browser, system: System) -> None:
    call = {"id": "c", "name": "f", "arguments": '{"a": "\\u202eb"}'}
    with browser.new_context(locale="en-GB") as context:
        visitor = Visitor(context.new_page())
        models = {"data": [{"id": "org/\u202eback"}]}
        visitor.page.route("**/v1/models", lambda route: route.fulfill(json=models))
        visitor.page.route(re.compile(r"/answers/[^/]+$"), lambda route: add_call(route, call))
        visitor.open(system.url)
        expect(visitor.page.locator("#model option").last).to_have_text("org/[U+202E]back")
        visitor.ask("hello")
        expect(visitor.exchange.locator(".calls pre")).to_contain_text("[U+202E]b", timeout=LIMIT)


def test_axe_finds_nothing_in_reasoning_calls_and_the_choice(reader: Visitor) -> None:
    if not AXE.exists():
        unavailable("axe-core: run tests/browser/setup.sh")
    choose(reader)
    reader.ask(f"!first=4 think {uuid.uuid4().hex[:8]}")
    expect(reader.exchange.locator("details.reasoning")).to_be_visible(timeout=LIMIT)
    assert reader.violations() == [], "thinking"
    reader.answered()
    reader.exchange.locator("summary").click()
    assert reader.violations() == [], "answered"
