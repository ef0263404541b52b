"""Chromium's EventSource continues by itself where its connection was cut, and asks once."""

import json
import uuid
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.support.processes import Deployment
from tests.support.tcp_proxy import ProxyThread, TcpProxy

pytestmark = pytest.mark.browser

LIMIT = 20_000
# Nothing here knows that there is such a thing as resuming.
PAGE = """
<p id="state"></p>
<script>
  let deltas = [], opened = 0, lost = 0;
  const stream = new EventSource(%s);
  stream.onopen = () => { opened += 1; };
  stream.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    if (frame.code !== 200) { state.textContent = frame.message; return; }
    if (!frame.data.done) { deltas.push(frame.data.answer); return; }
    state.textContent = deltas.join("") === frame.data.answer ? "whole" : "broken";
  };
  stream.onerror = () => {
    lost += 1;
    if (stream.readyState === EventSource.CLOSED) document.title = "closed";
  };
</script>
"""


@pytest.fixture
def proxy(deployed: Deployment) -> Iterator[TcpProxy]:
    """The way to the gateway, which can be cut."""
    with ProxyThread() as proxy_thread:
        port = urlsplit(deployed.url).port
        assert port is not None
        yield proxy_thread.proxy(port)


@pytest.fixture
def question() -> str:
    return f"!deltas=80 !rate=20 hello {uuid.uuid4().hex[:8]}"


def listen(page: Page, proxy: TcpProxy, question: str) -> None:
    """Open the page; its stream goes through `proxy`."""
    query = urlencode({"style": "balanced", "question": question})
    page.set_content(PAGE % json.dumps(f"http://127.0.0.1:{proxy.port}/api_stream?{query}"))


def check(page: Page, deployed: Deployment, question: str, connections: int) -> None:
    """The text is whole, came over so many connections, and was asked for once; 204 ends the stream for good."""
    expect(page.locator("#state")).to_have_text("whole", timeout=LIMIT)
    assert page.evaluate("opened") == connections
    expect(page).to_have_title("closed", timeout=LIMIT)
    assert len(deployed.turns(question)) == 1


def test_an_event_source_continues_after_each_cut(
    page: Page, deployed: Deployment, proxy: TcpProxy, question: str
) -> None:
    listen(page, proxy, question)
    for seen in (10, 40):
        page.wait_for_function(f"deltas.length >= {seen}", timeout=LIMIT)
        proxy.reset()
    check(page, deployed, question, connections=3)


def test_an_event_source_continues_after_a_cut_within_a_frame(
    page: Page, deployed: Deployment, proxy: TcpProxy, question: str
) -> None:
    proxy.cut_after(5_001)
    listen(page, proxy, question)
    check(page, deployed, question, connections=2)


def test_an_event_source_continues_when_the_gateway_was_unreachable_for_a_while(
    page: Page, deployed: Deployment, proxy: TcpProxy, question: str
) -> None:
    listen(page, proxy, question)
    page.wait_for_function("deltas.length >= 10", timeout=LIMIT)
    proxy.reset(refuse=True)
    page.wait_for_function("lost >= 3", timeout=LIMIT)
    proxy.heal()
    check(page, deployed, question, connections=2)
