"""Two browsers at one address, which send no key: each has its own names, by the cookie that came with the page."""

import pytest
from playwright.sync_api import Browser

from tests.support.browser.chat_page import Visitor
from tests.support.processes import Deployment

pytestmark = pytest.mark.browser

KEY = "a-key-that-two-would-choose"
FETCHED = """(key) => fetch("/api", {
  method: "POST", headers: { "Idempotency-Key": key },
  body: new URLSearchParams({ style: "balanced", question: "hello" }),
}).then((response) => response.headers.get("X-Answer-ID"))"""
SPOKEN = """(key) => new Promise((resolve) => {
  const socket = new WebSocket(`ws://${location.host}/ws_stream`, ["bing-chat.v2"]);
  const ask = { type: "ask", id: "1", style: "balanced", question: "hello", idempotency_key: key };
  socket.onopen = () => socket.send(JSON.stringify(ask));
  socket.onmessage = (message) => resolve(JSON.parse(message.data).answer);
})"""


@pytest.mark.parametrize("asking", [FETCHED, SPOKEN], ids=["fetch", "socket"])
def test_an_idempotency_key_is_a_browsers_own_also_after_a_reload(
    browser: Browser, deployed: Deployment, asking: str
) -> None:
    answers = []
    for _ in range(2):
        with browser.new_context() as context:
            visitor = Visitor(context.new_page())
            visitor.open(deployed.url)
            answers.append(visitor.page.evaluate(asking, KEY))
            visitor.reload()
            answers.append(visitor.page.evaluate(asking, KEY))
            assert visitor.page.evaluate("document.cookie") == ""
    assert [answers.index(answer) for answer in answers] == [0, 0, 2, 2]
