"""Pages of others in a real browser: of another origin, of a file, and under a name that leads here."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.deploy.conftest import nginx
from tests.support.browser.chat_page import Visitor
from tests.support.browser.chromium import chromium
from tests.support.console_deployment import KEY, console_deployment
from tests.support.deploy.tls_proxy import configuration, make_certificate
from tests.support.processes import Deployment, deployment, free_port, wait_until

pytestmark = pytest.mark.browser

# Names that lead to this machine: one that anybody could register, and one of a private network.
REBOUND, PRIVATE = "rebound.example", "chat"
# The name in the certificate of the shipped TLS proxy.
NAME = "chat.example.org"
# Each way that a page has to ask, and what it gets: the text it can read, or that there is none.
FETCH = "([url, options]) => fetch(url, options).then((response) => response.text()).catch(() => 'unreadable')"
SOCKET = """([url, message]) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(message);
  socket.onmessage = ({data}) => resolve(data);
  socket.onclose = () => resolve("refused");
})"""
PICTURE = """(url) => new Promise((resolve) => {
  const picture = new Image();
  picture.onload = picture.onerror = () => resolve();
  picture.src = url;
})"""
EVENTS = """(url) => new Promise((resolve) => {
  const stream = new EventSource(url);
  stream.onmessage = ({data}) => { stream.close(); resolve(data); };
  stream.onerror = () => { stream.close(); resolve("refused"); };
})"""


class _OtherSite(BaseHTTPRequestHandler):
    """Any page: an empty one."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>other</title>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def _serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _OtherSite) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    rules = ", ".join(f"MAP {name} 127.0.0.1" for name in (REBOUND, PRIVATE, NAME))
    with chromium(f"--host-resolver-rules={rules}") as browser:
        yield browser


@pytest.fixture(scope="module")
def other_site() -> Iterator[str]:
    with _serving() as url:
        yield url


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system as it is without settings."""
    with deployment(tmp_path_factory.mktemp("closed"), None) as running:
        yield running


@pytest.fixture(params=["other origin", "same host", "file"])
def foreign(request: pytest.FixtureRequest, page: Page, other_site: str, tmp_path: Path) -> Page:
    """A page that isn't the gateway's."""
    if request.param == "file":
        (tmp_path / "page.html").write_text("<!doctype html><title>file</title>")
        page.goto(f"file://{tmp_path}/page.html")
    else:
        # With another name it is another site, with the gateway's name only another origin.
        page.goto(other_site if request.param == "same host" else other_site.replace("127.0.0.1", "localhost"))
    return page


def api(deployed: Deployment, question: str, path: str = "/api") -> str:
    return f"{deployed.url}{path}?style=balanced&question={question.replace(' ', '+')}"


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_another_page_can_neither_ask_nor_read(foreign: Page, closed: Deployment) -> None:
    asked = "asked elsewhere"
    json = f'{{"style": "balanced", "question": "{asked}"}}'
    sockets = closed.url.replace("http", "ws")
    assert foreign.evaluate(FETCH, [api(closed, asked), {}]) == "unreadable"
    for body in (json, f"style=balanced&question={asked}"):
        post = {"method": "POST", "body": body}
        assert foreign.evaluate(FETCH, [f"{closed.url}/api", post]) == "unreadable"
        assert foreign.evaluate(FETCH, [f"{closed.url}/api", post | {"mode": "no-cors"}]) == ""
    for path in ("/ws", "/ws_stream"):
        assert foreign.evaluate(SOCKET, [sockets + path, json]) == "refused"
    assert foreign.evaluate(EVENTS, api(closed, asked, "/api_stream")) == "refused"
    foreign.evaluate(PICTURE, api(closed, asked))
    for path in ("/metrics", "/readyz", "/healthz", "/v1/models", "/"):
        assert foreign.evaluate(FETCH, [f"{closed.url}{path}", {}]) == "unreadable", path
    assert closed.turns(asked) == []


def test_a_link_on_another_page_asks_nothing_and_leads_to_ours(foreign: Page, closed: Deployment) -> None:
    visitor, asked = Visitor(foreign), "asked by a link"
    start = foreign.url
    for target in (api(closed, asked), api(closed, asked, "/api_stream")):
        foreign.goto(start)
        with foreign.expect_navigation(url="**/api*"):
            foreign.evaluate("(url) => { location.href = url; }", target)
        expect(foreign.locator("body")).to_contain_text("403")
    foreign.goto(start)
    with foreign.expect_navigation(url=f"{closed.url}/"):
        foreign.evaluate("(url) => { location.href = url; }", f"{closed.url}/")
    visitor.ready()
    visitor.ask("what is asked here?")
    visitor.answered()
    assert closed.turns(asked) == []


def test_a_name_that_leads_here_shows_nothing(page: Page, closed: Deployment) -> None:
    address = closed.url.replace("127.0.0.1", REBOUND)
    for path in ("/", "/api?style=balanced&question=rebound", "/metrics"):
        response = page.goto(f"{address}{path}")
        assert response is not None
        assert response.status == 421
    assert page.evaluate(SOCKET, [f"{address.replace('http', 'ws')}/ws", "{}"]) == "refused"
    # The page that was there before the name led here.
    read = page.evaluate(FETCH, [f"{address}/api", {"method": "POST", "body": "style=balanced&question=rebound"}])
    assert '"code": 421' in read
    assert closed.turns("rebound") == []


# Over plain HTTP browsers send Sec-Fetch-Site to their own machine only: by another name Origin has to do.
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "chat.localhost", PRIVATE])
def test_our_own_pages_work_by_each_name_that_is_served(page: Page, closed: Deployment, name: str) -> None:
    visitor, address = Visitor(page), closed.url.replace("127.0.0.1", name)
    visitor.open(address)
    visitor.ask(f"asked at {name}, here")
    visitor.answered()
    assert len(closed.turns(f"asked at {name}, here")) == 1
    json = '{"style": "balanced", "question": "hi"}'
    for path in ("/ws", "/ws_stream"):
        assert '"code": 200' in page.evaluate(SOCKET, [f"{address.replace('http', 'ws')}{path}", json])
    assert '"code": 200' in page.evaluate(FETCH, [f"{address}/api", {"method": "POST", "body": json}])
    assert visitor.complaints == []


def test_our_own_page_works_by_its_name_behind_a_proxy_that_ends_tls(browser: Browser, tmp_path: Path) -> None:
    port, question = free_port(), "asked over TLS"
    make_certificate(tmp_path)
    with ExitStack() as stack:
        running = stack.enter_context(deployment(tmp_path, None, settings={"ALLOWED_HOSTS": NAME}))
        upstream = running.url.removeprefix("http://")
        stack.enter_context(nginx(tmp_path, configuration(tmp_path, port, free_port(), upstream)))
        page = stack.enter_context(browser.new_context(ignore_https_errors=True)).new_page()
        wait_until(partial(is_open, port), "the proxy accepts connections")
        visitor, address = Visitor(page), f"{NAME}:{port}"
        visitor.open(f"https://{address}")
        visitor.ask(question)
        visitor.answered()
        assert len(running.turns(question)) == 1
        json = '{"style": "balanced", "question": "hi"}'
        assert '"code": 200' in page.evaluate(SOCKET, [f"wss://{address}/ws", json])


def test_pages_of_listed_origins_ask_and_read(foreign: Page, other_site: str, tmp_path: Path) -> None:
    origins = f"null,{other_site},{other_site.replace('127.0.0.1', 'localhost')}"
    json, headers = '{"style": "balanced", "question": "hi"}', {"content-type": "application/json"}
    with deployment(tmp_path, None, settings={"CORS_ORIGINS": origins}) as listing:
        options = {"method": "POST", "body": json, "headers": headers}
        assert '"code": 200' in foreign.evaluate(FETCH, [f"{listing.url}/api", options])
        assert '"code": 200' in foreign.evaluate(SOCKET, [f"{listing.url.replace('http', 'ws')}/ws", json])
        assert '"code": 200' in foreign.evaluate(EVENTS, api(listing, "hi", "/api_stream"))
        assert foreign.evaluate(FETCH, [f"{listing.url}/metrics", {}]) == "unreadable"


def test_no_other_page_reads_the_console(foreign: Page, tmp_path: Path) -> None:
    with console_deployment(tmp_path) as running:
        options = {"headers": {"authorization": f"Bearer {KEY}"}}
        for path in ("/console", "/console/live"):
            assert foreign.evaluate(FETCH, [f"{running.url}{path}", options]) == "unreadable"
        orders = {"method": "POST", "mode": "no-cors", "body": "{}"}
        assert foreign.evaluate(FETCH, [f"{running.url}/console/accounts/alice/pause", orders]) == ""
