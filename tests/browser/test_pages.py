"""Pages in a real browser: ours, and pages of the kind that were written for the old server."""

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.support.processes import Deployment

# The habit of pages for the old server: append while `done` is false, and do no more.
OLD_SOCKET_PAGE = """
<pre id="text"></pre><p id="state"></p>
<script>
  const text = document.getElementById("text"), state = document.getElementById("state");
  const socket = new WebSocket("%s/ws_stream");
  let whole = "";
  socket.onopen = () => socket.send(JSON.stringify({style: "balanced", question: "%s"}));
  socket.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    if (frame.code !== 200) { state.textContent = frame.message; return; }
    if (!frame.data.done) { text.textContent += frame.data.answer; return; }
    state.textContent = text.textContent === frame.data.answer ? "whole" : "broken";
  };
</script>
"""
OLD_STREAM_PAGE = """
<pre id="text"></pre><p id="state"></p>
<script>
  const text = document.getElementById("text"), state = document.getElementById("state");
  const query = new URLSearchParams({style: "balanced", question: "%s"});
  const stream = new EventSource("%s/api_stream?" + query);
  stream.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    if (frame.code !== 200) { state.textContent = frame.message; return; }
    if (!frame.data.done) { text.textContent += frame.data.answer; return; }
    state.textContent = text.textContent === frame.data.answer ? "whole" : "broken";
  };
  let closed = 0;
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) document.title = "closed"; };
</script>
"""


@pytest.mark.browser
@pytest.mark.parametrize("question", ["!search hello", "!final-only hello", "!cite-cut 你好", "!surrogate hello"])
def test_an_old_page_on_a_socket_ends_with_the_whole_answer(page: Page, deployed: Deployment, question: str) -> None:
    page.set_content(OLD_SOCKET_PAGE % (deployed.url.replace("http", "ws"), question))
    expect(page.locator("#state")).to_have_text("whole", timeout=15_000)


@pytest.mark.browser
def test_an_event_source_that_never_closes_asks_once_and_stops(page: Page, deployed: Deployment) -> None:
    question = "!search hello from an event source"
    page.set_content(OLD_STREAM_PAGE % (question, deployed.url))
    expect(page.locator("#state")).to_have_text("whole", timeout=15_000)
    # It reconnects by itself with Last-Event-ID, gets 204, and gives up for good.
    expect(page).to_have_title("closed", timeout=15_000)
    assert len(deployed.turns(question)) == 1


@pytest.mark.browser
def test_our_page_asks_and_shows_the_stream_without_errors(page: Page, deployed: Deployment) -> None:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(deployed.url)
    page.get_by_role("textbox").fill("what is a stream?")
    page.get_by_role("textbox").press("Enter")
    expect(page.locator("body")).to_contain_text("stand-in for Bing", timeout=15_000)
    expect(page.locator("body")).to_contain_text("question 1 of our conversation", timeout=15_000)
    assert complaints == []
