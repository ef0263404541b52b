"""What the chat page says while a question waits, and where it isn't answered."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route, expect
from redis import Redis

from tests.support.browser.chat_page import LIMIT, Visitor
from tests.support.browser.chromium import System
from tests.support.processes import answers, free_port, process, wait_until, write_accounts
from wire import keys

pytestmark = pytest.mark.browser

KEY = "a key for tests, of some length"


@contextmanager
def gateway(redis_url: str, folder: Path, **settings: str) -> Iterator[str]:
    """The address of one more gateway."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process("gateway", folder / "log.txt", GATEWAY_PORT=str(port), REDIS_URL=redis_url, **settings):
        wait_until(lambda: answers(f"{url}/healthz"), "the gateway answers")
        yield url


@contextmanager
def idle_worker(redis_url: str) -> Iterator[None]:
    """One that is alive in this database, and takes nothing."""
    with Redis.from_url(redis_url) as client:
        client.hset(keys.worker_key("idle"), "last", 0)
        client.sadd(keys.workers_key(), "idle")
        try:
            yield
        finally:
            client.delete(keys.worker_key("idle"), keys.workers_key())


def test_a_question_that_waits_reports_its_place_and_when_nobody_came(
    visitor: Visitor, system: System, tmp_path: Path
) -> None:
    # A database of its own.
    alone = system.redis_url.removesuffix("0") + "1"
    with idle_worker(alone), gateway(alone, tmp_path, QUEUE_TIMEOUT="8") as url:
        fields = {"style": "balanced", "question": "first in the queue"}
        with httpx.stream("POST", f"{url}/api_stream", data=fields, headers={"accept": "text/event-stream"}):
            visitor.open(url)
            visitor.ask("second in the queue")
            expect(visitor.status).to_contain_text("In the queue: number 2", timeout=LIMIT)
            visitor.answered()
    expect(visitor.status).to_contain_text("The service is busy")


def test_where_no_worker_is_the_page_says_so_from_the_first_second(
    visitor: Visitor, system: System, tmp_path: Path
) -> None:
    alone = system.redis_url.removesuffix("0") + "2"
    with gateway(alone, tmp_path) as url:
        visitor.open(url)
        visitor.ask("is anybody there")
        expect(visitor.status).to_contain_text("No worker with an account is running", timeout=LIMIT)
        with idle_worker(alone):
            expect(visitor.status).to_contain_text("In the queue: number 1", timeout=LIMIT)


def test_where_no_account_can_be_used_the_page_says_so(visitor: Visitor, system: System, tmp_path: Path) -> None:
    alone = system.redis_url.removesuffix("0") + "3"
    write_accounts(tmp_path / "cookies", "a0")
    log, own = tmp_path / "log.txt", {"REDIS_URL": alone, "COOKIES_DIR": str(tmp_path / "cookies")}
    with gateway(alone, tmp_path) as url, process("worker", log, **own), Redis.from_url(alone) as client:
        wait_until(lambda: answers(f"{url}/readyz"), "the worker is there")
        client.hset(keys.account_key("a0"), "paused", "1")
        visitor.open(url)
        visitor.ask("is an account there")
        visitor.answered()
        expect(visitor.status).to_contain_text("No account can be used now")


def test_a_gateway_with_keys_asks_for_one_and_the_question_continues(
    visitor: Visitor, system: System, tmp_path: Path
) -> None:
    page = visitor.page
    keys = tmp_path / "keys"
    keys.write_text(f"alice {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    with gateway(system.redis_url, tmp_path, API_KEYS_FILE=str(keys)) as url:
        visitor.open(url)
        visitor.ask("what is a stream?")
        page.get_by_role("textbox", name="API key").fill("wrong")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("not accepted")
        page.get_by_role("textbox", name="API key").fill(KEY)
        page.get_by_role("button", name="Save", exact=True).click()
        visitor.answered()
        expect(visitor.text).to_contain_text("stand-in for Bing")
        visitor.reload()
        visitor.ask("and now?")
        visitor.answered()
        expect(visitor.text).to_contain_text("question 2 of our conversation")
        other = Visitor(page.context.new_page())
        other.open(url)
        other.ask("without a key")
        other.page.get_by_role("button", name="Cancel").click()
        other.answered()
        expect(other.status).to_have_text("An API key is needed to ask.")
    assert page.evaluate("localStorage.getItem('api-key')") is None


def test_a_conversation_that_is_no_longer_known_begins_anew_by_itself(visitor: Visitor, system: System) -> None:
    visitor.ask("what is a stream?")
    visitor.answered()

    def forget(route: Route) -> None:
        """As if the gateways had forgotten the token."""
        route.continue_(post_data=json.dumps((route.request.post_data_json or {}) | {"token": "0" * 32}))

    visitor.page.route("**/api_stream", forget, times=1)
    visitor.ask("do you remember?")
    visitor.answered()
    expect(visitor.text).to_contain_text("question 1 of our conversation")
    assert len(system.deployed.turns("do you remember?")) == 1


def test_an_answer_that_the_gateway_no_longer_keeps_says_so_and_keeps_its_text(visitor: Visitor) -> None:
    visitor.ask("!deltas=400 !rate=20 for a while")
    # Long enough for the page to have saved a part of it.
    visitor.grows("delta 000035")
    visitor.page.route(
        re.compile("/answers/"),
        lambda route: route.fulfill(
            status=404, content_type="application/json", body='{"code": 404, "message": "Not found"}'
        ),
    )
    visitor.reload()
    visitor.answered()
    expect(visitor.status).to_have_text("This answer is no longer kept by the gateway.")
    expect(visitor.text).to_contain_text("delta 000003")
