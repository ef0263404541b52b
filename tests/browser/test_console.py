"""The operator's console in a real browser, against real processes."""

import json
import re
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser.chat_page import AXE, LIMIT
from tests.support.browser.console_page import Operator
from tests.support.console_deployment import KEY, ConsoleDeployment, console_deployment
from tests.support.prerequisites import unavailable
from tests.support.processes import free_port, wait_until
from wire import keys

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleDeployment]:
    with console_deployment(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture
def operator(browser: Browser, system: ConsoleDeployment) -> Iterator[Operator]:
    """Somebody who reads English, signed in; nothing in the page's console may complain."""
    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900}) as context:
        operator = Operator(context.new_page())
        operator.open(system.url)
        operator.shows("accounts", "alice", "ready")
        yield operator
        assert operator.complaints == []
    for account in ("alice", "bob"):
        system.order(f"accounts/{account}/reset")


@pytest.fixture
def holding(system: ConsoleDeployment) -> Iterator[threading.Thread]:
    """A question that the upstream never finishes, asked at the second gateway."""
    asking = threading.Thread(target=lambda: system.ask("!silence-mid held", gateway=1))
    asking.start()
    wait_until(lambda: system.turns_with("held"), "it is asked")
    yield asking
    asking.join(30)
    assert not asking.is_alive()


def test_a_wrong_key_is_refused_and_a_key_stays_in_its_tab(page: Page, system: ConsoleDeployment) -> None:
    operator = Operator(page)
    operator.open(system.url, "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.locator("#console")).to_be_hidden()
    operator.open(system.url)
    operator.shows("accounts", "alice", re.compile("ready|可用"))
    assert page.evaluate("sessionStorage.length") == 1
    assert KEY not in page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
    page.reload()
    operator.shows("accounts", "alice", re.compile("ready|可用"))
    page.locator("#leave").click()
    expect(page.locator("#key")).to_be_focused()
    page.reload()
    expect(page.locator("#key")).to_be_visible()


def test_a_throttled_account_cools_shows_when_it_returns_and_comes_back(
    operator: Operator, system: ConsoleDeployment
) -> None:
    system.script(account="alice", chat={"outcome": "throttled", "times": 1})
    for number in range(4):
        system.ask(f"before {number}")
    operator.shows("accounts", "alice", "cooling")
    operator.shows("accounts", "alice", re.compile(r"out of quota · back at .*, in "))
    operator.shows_event("alice: ready → cooling")
    # Time passes: what was a day is two seconds.
    system.redis.hset(keys.account_key("alice"), "until", int(time.time() * 1000) + 2000)
    operator.shows("accounts", "alice", re.compile("in [12] sec|the next question tries it"))
    operator.shows("accounts", "alice", "the next question tries it")
    for number in range(4):
        system.ask(f"after {number}")
    operator.shows("accounts", "alice", "ready")
    operator.shows_event("alice: cooling → ready")


def test_a_paused_account_gets_no_questions_until_it_is_resumed(operator: Operator, system: ConsoleDeployment) -> None:
    operator.row("accounts", "alice").locator("[data-order=pause]").click()
    operator.page.locator("#confirm-no").click()
    expect(operator.row("accounts", "alice")).to_contain_text("ready")
    operator.order("accounts", "alice", "pause")
    operator.shows("accounts", "alice", "paused")
    operator.shows_event(re.compile("alice: Pause → paused.*by olivia"))
    for number in range(4):
        system.ask(f"while paused {number}")
    assert {turn["account"] for turn in system.turns_with("while paused")} == {"bob"}
    operator.order("accounts", "alice", "resume")
    operator.shows("accounts", "alice", "ready")
    for number in range(4):
        system.ask(f"when resumed {number}")
    assert "alice" in {turn["account"] for turn in system.turns_with("when resumed")}


def test_pasted_cookies_become_an_account_that_takes_turns(operator: Operator, system: ConsoleDeployment) -> None:
    page = operator.page
    page.locator("#add").click()
    page.locator("#adding-name").fill("carol")
    export = json.dumps([{"name": "_U", "value": "carol-planted-secret", "domain": ".bing.com"}])
    page.locator("#adding-export").fill(export)
    page.locator("#adding button[type=submit]").click()
    expect(page.locator("#confirm-head")).to_contain_text("carol")
    page.locator("#confirm-yes").click()
    operator.shows_event("the cookies for carol were taken")
    operator.shows("accounts", "carol", "ready")
    for number in range(6):
        system.ask(f"for three {number}")
    assert "carol-planted-secret" in {turn["account"] for turn in system.turns_with("for three")}
    assert "planted-secret" not in page.content()
    assert page.locator("#adding-export").input_value() == ""


def test_what_is_no_export_is_reported_in_the_log(operator: Operator) -> None:
    page = operator.page
    page.locator("#add").click()
    page.locator("#adding-name").fill("dave")
    page.locator("#adding-export").fill("nothing of use")
    page.locator("#adding button[type=submit]").click()
    page.locator("#confirm-yes").click()
    operator.shows_event("the cookies for dave were not taken")


def test_a_running_answer_is_seen_and_stopped(
    operator: Operator, system: ConsoleDeployment, holding: threading.Thread
) -> None:
    row = operator.page.locator("#answers tbody tr")
    expect(row).to_contain_text("streaming", timeout=LIMIT)
    expect(row).to_contain_text("chat", timeout=LIMIT)
    row.locator("[data-order=stop]").click()
    operator.page.locator("#confirm-yes").click()
    expect(row).to_have_count(0, timeout=LIMIT)
    operator.shows_event(re.compile("answer .* was stopped.*by olivia"))
    wait_until(lambda: all(turn["ended"] for turn in system.turns_with("held")), "hung up upstream")


def test_a_worker_that_drains_and_one_that_dies_are_seen(operator: Operator, system: ConsoleDeployment) -> None:
    # Whoever holds the answer drains; the other one dies.
    asking = threading.Thread(target=lambda: system.ask("!silence-mid last words"))
    asking.start()
    wait_until(lambda: system.turns_with("last words"), "it is asked")
    rows = operator.page.locator("#workers tbody tr")
    expect(rows.filter(has_text="1 of 16 slots")).to_have_count(1, timeout=LIMIT)
    expect(rows.filter(has_text="up")).to_have_count(2)
    for worker in system.workers:
        worker.send_signal(signal.SIGTERM)
    expect(rows.filter(has_text="draining")).to_have_count(1, timeout=LIMIT)
    operator.shows_event(re.compile("worker .* is draining"))
    doomed = system.start_worker()
    expect(rows.filter(has_text="up")).to_have_count(1, timeout=LIMIT)
    doomed.kill()
    expect(rows.filter(has_text="dead")).to_have_count(1, timeout=LIMIT)
    operator.page.locator("#answers [data-order=stop]").click()
    operator.page.locator("#confirm-yes").click()
    asking.join(30)
    operator.shows_event(re.compile("worker .* has left"))
    system.start_worker()
    expect(rows.filter(has_text="up")).to_have_count(1, timeout=LIMIT)
    operator.shows_event(re.compile("worker .* went silent"))


def test_the_charts_have_points_and_say_them_as_tables(operator: Operator, system: ConsoleDeployment) -> None:
    system.script(account="*", chat={"outcome": "internal", "times": 1})
    for number in range(3):
        system.ask(f"for the charts {number}")
    figures = operator.page.locator("#charts figure")
    expect(figures).to_have_count(7)
    expect(figures.nth(0).locator("rect[class^=fill]").nth(3)).to_be_attached(timeout=LIMIT)
    expect(figures.nth(1).locator("circle, polyline").first).to_be_attached(timeout=LIMIT)
    expect(figures.nth(2)).to_contain_text("error at the upstream", timeout=LIMIT)
    expect(figures.nth(6)).to_contain_text("all", timeout=LIMIT)
    figures.nth(0).locator("summary").click()
    expect(figures.nth(0).locator("details tbody tr")).to_have_count(60)
    operator.page.get_by_text("6 h", exact=True).click()
    expect(figures.nth(0).locator("details tbody tr")).to_have_count(72)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_continues_by_itself_when_a_gateway_answers_again(
    browser: Browser, system: ConsoleDeployment, end: signal.Signals
) -> None:
    port = free_port()
    gateway = system.start_gateway(port)
    with browser.new_context(locale="en-GB") as context:
        operator = Operator(context.new_page())
        operator.open(system.gateways.pop())
        operator.shows("accounts", "alice", "ready")
        line = operator.page.locator("#connection")
        expect(line).to_contain_text("Live, as olivia")
        gateway.send_signal(end)
        expect(line).to_contain_text("Connection lost", timeout=LIMIT)
        gateway.wait(20)
        system.start_gateway(port)
        system.gateways.pop()
        expect(line).to_contain_text("Live, as olivia", timeout=LIMIT)
        rows = operator.page.locator("#events tbody tr")
        expect(rows.filter(has_text=re.compile("gateway .* is up"))).not_to_have_count(0)
        assert operator.complaints == []


def test_models_of_accounts_are_shown_and_files_that_differ(operator: Operator, system: ConsoleDeployment) -> None:
    now = int(time.time() * 1000)
    offer = json.dumps({"models": ["a-small", "b-middle", "c-large", "d-huge"]})
    fields = {"provider": "openai", "offer": offer, "offered": now, "offer_version": 1, "state": "ready"}
    expect(operator.page.locator("#disputed")).to_be_hidden()
    try:
        system.redis.hset(keys.account_key("gpu"), mapping={**fields, "disputed": now})
        system.redis.zadd(keys.accounts_key(), {"gpu": now})
        operator.shows("accounts", "gpu", "a-smallb-middlec-largeand 1 more")
        assert "New cookies" not in operator.row("accounts", "gpu").inner_text()
        expect(operator.page.locator("#disputed")).to_contain_text("different accounts files: gpu")
        assert operator.violations() == []
    finally:
        system.redis.zrem(keys.accounts_key(), "gpu")
        system.redis.delete(keys.account_key("gpu"))
    expect(operator.page.locator("#disputed")).to_be_hidden()


def test_a_name_that_looks_like_html_is_only_text(operator: Operator, system: ConsoleDeployment) -> None:
    name = "<img src=x onerror=document.title='broken'>"
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"name": name, "export": "_U=hostile"}
    httpx.post(f"{system.url}/console/accounts", headers=headers, json=body).raise_for_status()
    operator.shows("accounts", name, "ready")
    operator.shows_event(name)
    assert operator.page.title() == "Console"
    assert operator.page.locator("#console img").count() == 0
    (system.folder / f"cookies/{name}.txt").unlink()


def test_what_is_drawn_is_counted_rightly(operator: Operator) -> None:
    counts = operator.page.evaluate("""async () => {
        const { History, classes, limited, quantile, rates, slots } = await import("/console/history.js");
        const history = new History(), minute = 60_000, now = 1000 * minute + 30_000;
        history.add({
            998: {done: 60, "failed:a": 6, "slots:free": 120_000, "slots:used": 60_000},
            999: {done: 30, "failed:b": 1, "failed:a": 1, "text:0": 1, "text:1": 8, "text:2": 1, "slots:free": 60_000},
            1000: {done: 15, stopped: 3, "slots:free": 1},
        });
        const bins = history.bins(4, 1, now), five = history.bins(10, 5, now);
        return {
            rates: bins.map(rates), slots: slots(bins), classes: classes(bins, "failed:", 1),
            quantiles: [0.5, 1].map((part) => quantile(history.total(4, now), part, [1, 2, 3])),
            none: quantile({}, 0.5, [1, 2, 3]), beyond: quantile({"text:3": 5}, 0.5, [1, 2, 3]),
            five: five.map((bin) => [bin.at / minute, bin.counts.done ?? 0]),
            limited: limited({"refused:client.limit": 2, "refused:client.bytes": 3, "refused:queue.full": 7}),
        };
    }""")
    assert counts == {
        "rates": [[0, 0, 0], [1, 0.1, 0], [0.5, 2 / 60, 0], [0.5, 0, 0.1]],
        "slots": [[None, None], [2, 1], [1, 0], [None, None]],
        "classes": {"names": ["a", ""], "rows": [[0, 0], [6, 0], [1, 1], [0, 0]]},
        "quantiles": [1.5, 3],
        "none": None,
        "beyond": 3,
        "five": [[995, 90], [1000, 15]],
        "limited": 5,
    }


def test_everything_can_be_done_with_the_keyboard(operator: Operator) -> None:
    page = operator.page
    button = operator.row("accounts", "bob").locator("[data-order=pause]")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-no")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    operator.shows("accounts", "bob", "paused")


def test_the_language_is_switched_and_kept(operator: Operator) -> None:
    page = operator.page
    page.locator("#language").click()
    expect(page.locator("h1")).to_have_text("控制台")
    operator.shows("accounts", "alice", "可用")
    page.reload()
    operator.shows("accounts", "alice", "可用")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.locator("#language").click()
    expect(page.locator("h1")).to_have_text("Console")


def test_a_language_that_another_tab_chooses_reaches_the_open_dialog(
    operator: Operator, system: ConsoleDeployment
) -> None:
    page = operator.page
    other = page.context.new_page()
    other.goto(f"{system.url}/console")
    choose = "(language) => localStorage.setItem('console-language', language)"
    operator.row("accounts", "alice").locator("[data-order=pause]").click()
    expect(page.locator("#confirm-head")).to_have_text("Pause alice?")
    other.evaluate(choose, "zh")
    expect(page.locator("#confirm-head")).to_have_text(re.compile("^暂停 alice"))
    expect(page.locator("#confirm-yes")).to_have_text("暂停")
    expect(page.locator("#confirm-no")).to_have_text("取消")
    page.route("**/console/accounts/alice/pause", lambda route: route.fulfill(status=404, body="{}"))
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-problem")).to_have_text("已不存在。")
    other.evaluate(choose, "en")
    expect(page.locator("#confirm-problem")).to_have_text("It is no longer there.")
    expect(page.locator("#confirm-yes")).to_have_text("Pause")
    page.keyboard.press("Escape")
    page.locator("#add").click()
    other.evaluate(choose, "zh")
    expect(page.locator("#adding label").first).to_have_text("账号名")
    other.evaluate(choose, "en")
    expect(page.locator("#adding label").first).to_have_text("Account")


def test_a_refused_key_is_shown_in_the_language_that_is_chosen_later(
    browser: Browser, system: ConsoleDeployment
) -> None:
    with browser.new_context(locale="en-GB") as context:
        operator = Operator(context.new_page())
        operator.open(system.url, "wrong")
        alert = operator.page.get_by_role("alert")
        expect(alert).to_have_text("That is none of the admin keys.")
        operator.page.locator("#language").click()
        expect(alert).to_have_text("不是有效的管理密钥。")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(browser: Browser, system: ConsoleDeployment, scheme: str, width: int) -> None:
    if not AXE.exists():
        unavailable("axe-core: run tests/browser/setup.sh")
    with browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    ) as context:
        operator = Operator(context.new_page())
        page = operator.page
        page.goto(f"{system.url}/console")
        assert operator.violations() == [], "sign in"
        system.script(account="alice", chat={"outcome": "throttled", "times": 1})
        for number in range(4):
            system.ask(f"for axe {number}")
        system.order("accounts/bob/pause")
        operator.open(system.url)
        operator.shows("accounts", "bob", "paused")
        expect(page.locator("#charts figure")).to_have_count(7)
        page.locator("#charts summary").first.click()
        assert operator.violations() == [], "console"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#add").click()
        assert operator.violations() == [], "adding"
        page.locator("#adding-no").click()
        operator.row("accounts", "bob").locator("[data-order=resume]").click()
        assert operator.violations() == [], "asking"
        assert operator.complaints == []
    for account in ("alice", "bob"):
        system.order(f"accounts/{account}/reset")
