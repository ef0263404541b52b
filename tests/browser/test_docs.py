"""The documentation's page in a real browser."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser.chat_page import AXE, LIMIT, Visitor
from tests.support.prerequisites import unavailable
from tests.support.processes import Deployment

pytestmark = pytest.mark.browser

KINDS = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]


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
    expect(docs.locator("#v2 .entry")).to_have_count(11)
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


@pytest.fixture
def request_form(docs: Page) -> Locator:
    """The form of `POST /api_stream`."""
    return opened(docs, "streamInBody")


def opened(docs: Page, operation: str) -> Locator:
    """The form of an operation, or of a socket."""
    entry = docs.locator(f"[id='{operation}']")
    if entry.evaluate("(one) => one.tagName") == "DETAILS":
        entry.locator("summary").first.click()
    entry.locator(".try > summary").click()
    return entry.locator(".try")


def send(form: Locator) -> Locator:
    """Send, and return the line about the response."""
    form.get_by_role("button", name="Send").click()
    return form.locator(".result")


def test_every_operation_can_be_tried_and_is_shown_as_a_command(docs: Page, deployed: Deployment) -> None:
    document = docs.request.get(f"{deployed.url}/openapi.json").json()
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            command = opened(docs, item[method]["operationId"]).locator(".command code")
            expect(command).to_contain_text(f"'{deployed.url}{path.partition('{')[0]}")
            assert ("-X" in command.inner_text()) == (method != "get")


def test_the_command_sends_the_request_that_the_form_sends(docs: Page, deployed: Deployment) -> None:
    for operation, kind in [("ask", ""), *(("askInBody", kind) for kind in KINDS)]:
        form = opened(docs, operation)
        question = f'it\'s "a" question $HOME by {operation} {kind}'
        if operation == "ask":
            form.get_by_label("question (query)").fill(question)
        else:
            form.get_by_label("Body", exact=True).fill(json.dumps({"style": "precise", "question": question}))
            if kind:
                form.get_by_label("Type of the body").select_option(kind)
        expect(send(form)).to_have_text(re.compile(r"^200 OK in \d+ ms\."))
        shown = json.loads(form.locator(".output code").inner_text())
        command = form.locator(".command code").inner_text()
        printed = json.loads(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout)
        assert shown.keys() == printed.keys()
        assert len(deployed.turns(question)) == 2
        docs.reload()
        expect(docs.locator(".entry").first).to_be_visible()


def test_a_stream_is_shown_as_it_comes_until_it_is_stopped(request_form: Locator, deployed: Deployment) -> None:
    question = {"style": "balanced", "question": "!deltas=200 !rate=5 shown as it comes"}
    request_form.get_by_label("Body", exact=True).fill(json.dumps(question))
    status = send(request_form)
    expect(request_form.locator(".output")).to_contain_text("delta 000003")
    expect(status).to_have_text("200 OK")
    expect(request_form.locator(".headers")).to_contain_text("x-answer-id")
    request_form.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text("You stopped reading.")
    expect(request_form.get_by_role("button", name="Send")).to_be_focused()
    expect(request_form.get_by_role("button", name="Stop")).to_be_hidden()
    assert "delta 000150" not in request_form.locator(".output").inner_text()


def test_the_last_answer_is_filled_in_where_an_answer_is_named(docs: Page, request_form: Locator) -> None:
    stop = opened(docs, "stopAnswer")
    expect(send(request_form)).to_contain_text(" ms.")
    expect(send(stop)).to_contain_text("200 OK")
    expect(stop.locator(".output")).to_contain_text('"state": "done"')


def test_no_more_is_shown_than_a_page_can_bear(docs: Page) -> None:
    docs.route("**/healthz", lambda route: route.fulfill(body="x" * 300_000, content_type="text/plain"))
    form = opened(docs, "alive")
    expect(send(form)).to_contain_text("Only the first 256 kB are shown.")
    assert len(form.locator(".output code").text_content() or "") == 256 * 1024


def test_json_that_is_too_long_once_it_is_indented_is_said_to_be_cut(docs: Page) -> None:
    body = json.dumps([[1]] * 40_000)
    assert len(body) < 256 * 1024
    docs.route("**/healthz", lambda route: route.fulfill(body=body, content_type="application/json"))
    expect(send(opened(docs, "alive"))).to_contain_text("Only the first 256 kB are shown.")


def test_a_response_that_breaks_off_keeps_what_came_and_is_said_to_have_begun(docs: Page) -> None:
    docs.evaluate("""() => {
        const body = (stream) => { stream.enqueue(new TextEncoder().encode("<b>the beginning</b>")); };
        let read = 0;
        const pull = (stream) => (read++ ? stream.error(new TypeError("network error")) : body(stream));
        window.fetch = async () => new Response(new ReadableStream({ pull }), { headers: { "x-answer-id": "a" } });
    }""")
    form = opened(docs, "alive")
    expect(send(form)).to_have_text("The response broke off: network error")
    expect(form.locator(".output code")).to_have_text("<b>the beginning</b>")


def test_a_request_that_is_stopped_before_its_response_names_no_answer(request_form: Locator) -> None:
    expect(send(request_form)).to_contain_text(" ms.")
    request_form.page.route("**/api_stream", lambda route: None)
    status = send(request_form)
    expect(status).to_have_text("Sending …")
    request_form.get_by_role("button", name="Stop").click()
    expect(status).to_have_text("You stopped reading.")


def test_an_address_that_names_no_document_shows_the_first(docs: Page, deployed: Deployment) -> None:
    docs.goto(f"{deployed.url}/docs#constructor")
    docs.reload()
    expect(docs.locator(".entry[id=ask]")).to_be_visible()


def test_a_key_stays_in_its_tab_and_out_of_the_command(docs: Page, request_form: Locator, deployed: Deployment) -> None:
    sent: list[str | None] = []
    docs.on("request", lambda request: sent.append(request.headers.get("authorization")))
    request_form.get_by_label("API key").fill("planted-key")
    assert send(request_form)
    expect(request_form.locator(".result")).to_contain_text(" ms.")
    assert sent == ["Bearer planted-key"]
    expect(request_form.locator(".command")).to_contain_text('"Authorization: Bearer $API_KEY"')
    assert "planted-key" not in docs.locator("body").inner_text()
    assert docs.evaluate("JSON.stringify(localStorage) + document.cookie + location.href").count("planted-key") == 0
    docs.reload()
    expect(opened(docs, "models").get_by_label("API key")).to_have_value("planted-key")
    expect(opened(docs, "orderAccount").get_by_label("Admin key")).to_have_value("")
    expect(opened(docs, "alive").get_by_label("API key")).to_have_count(0)
    other = docs.context.new_page()
    other.goto(f"{deployed.url}/docs")
    assert other.evaluate("sessionStorage.length") == 0


def test_a_socket_is_connected_sends_an_example_and_shows_the_frames(docs: Page) -> None:
    docs.get_by_role("link", name="WebSocket", exact=True).click()
    for channel, last in {"ws": '"answer"', "ws_stream": '"done": true', "v2": '"type":"final"'}.items():
        form = opened(docs, channel)
        status = send(form)
        expect(form.locator(".output")).to_contain_text(last, timeout=LIMIT)
        expect(status).to_have_text("Connected.")
        form.get_by_role("button", name="Disconnect").click()
        expect(status).to_have_text("Closed: 1000")


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_a_document_is_downloaded_whole(docs: Page, deployed: Deployment, name: str) -> None:
    if name == "asyncapi.json":
        docs.get_by_role("link", name="WebSocket", exact=True).click()
    with docs.expect_download() as started:
        docs.get_by_role("link", name=f"Download {name}").click()
    assert started.value.suggested_filename == name
    assert json.loads(started.value.path().read_text()) == docs.request.get(f"{deployed.url}/{name}").json()


def test_code_is_copied_by_keyboard_and_that_is_announced(docs: Page) -> None:
    docs.context.grant_permissions(["clipboard-read", "clipboard-write"])
    docs.get_by_role("link", name="Examples", exact=True).click()
    block = docs.locator(".code", has_text="from openai import OpenAI").first
    block.locator("pre").focus()
    docs.keyboard.press("Tab")
    docs.keyboard.press("Enter")
    expect(docs.get_by_role("status")).to_have_text("Copied")
    expect(block.get_by_role("button")).to_have_text("Copied")
    assert docs.evaluate("navigator.clipboard.readText()") == block.locator("pre").text_content()
    buttons = docs.evaluate("[...document.querySelectorAll('pre')].map((one) => one.nextElementSibling?.className)")
    assert len(buttons) > 20
    assert set(buttons) == {"copy"}


def test_where_copying_is_not_allowed_the_text_is_selected_and_the_page_says_so(docs: Page) -> None:
    docs.evaluate(
        "navigator.clipboard.writeText = () => Promise.reject(new Error()); document.execCommand = () => false"
    )
    docs.get_by_role("link", name="Examples", exact=True).click()
    block = docs.locator(".code").first
    block.get_by_role("button").click()
    expect(docs.get_by_role("status")).to_contain_text(
        "This browser doesn't allow a page to copy. The text is selected"
    )
    assert docs.evaluate("getSelection().toString().trim()") == (block.locator("pre").text_content() or "").strip()


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
        for form in page.locator(".entry[open] .try > summary, section > .try > summary").all()[:4]:
            form.click()
        if path == "http/ask":
            page.locator("#ask").get_by_role("button", name="Send").click()
            expect(page.locator("#ask .result")).to_contain_text(" ms.", timeout=LIMIT)
            page.locator("#ask .headers > summary").click()
            page.locator("#ask .command .copy").click()
        assert visitor.violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")
        assert visitor.complaints == []
