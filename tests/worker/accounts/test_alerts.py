"""What an operator hears of over a webhook."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.processes import free_port
from tests.support.worker.harness import Away, Client, HookedStore
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import ScriptedProvider
from wire.ledger import AccountAlert, AccountRecord, AccountSlot, AccountStatus, Ledger, TurnOutcome
from worker.accounts.alerts import EVENTS, AlertSender, build_alert
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

SECRET = "planted-secret"


class Hook:
    """A small server that takes alerts, and answers with each of `statuses` in turn, then with 200."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.held = asyncio.Event()
        self.held.set()
        self.url = ""

    @property
    def events(self) -> list[tuple[str, str | None]]:
        return [(alert["event"], alert["account"]) for alert in self.received]

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(await request.json())
        await self.held.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"}, text="x" * 100_000)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook, port = Hook(), free_port()
    application = web.Application()
    application.router.add_post(f"/{SECRET}", hook.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    hook.url = f"http://127.0.0.1:{port}/{SECRET}"
    yield hook
    await runner.cleanup()


class Book:
    """A ledger with four accounts."""

    def __init__(self, store: HookedStore) -> None:
        self.ledger = Ledger(store)

    async def announce(self) -> None:
        for name in ("a", "b", "c", "d"):
            await self.ledger.announce(AccountRecord(name, "print"), AccountStatus(name))

    async def fall(self, name: str, outcome: TurnOutcome, pause: float = 0.0) -> None:
        slot = AccountSlot(f"fall of {name}", 1, "elsewhere")
        assert (await self.ledger.reserve(slot, {name: 0}, 60)).account == name
        await self.ledger.record(name, slot, "print", outcome, f"because.{outcome}", sent=True, pause=pause)


@pytest.fixture
async def book(store: HookedStore) -> Book:
    book = Book(store)
    await book.announce()
    return book


@pytest.fixture
async def alerts(hook: Hook, book: Book) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Three workers' alerts."""
    running = [
        asyncio.create_task(AlertSender(hook.url, 0.5, book.ledger, look_every=0.02, pause=0.01).run())
        for _ in range(3)
    ]
    yield running
    for task in running:
        task.cancel()
    await asyncio.wait(running)


def lines(logs: list[Any], event: str) -> Callable[[], bool]:
    return lambda: any(line["event"] == event for line in logs)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_alert_has_all_its_fields_whatever_its_event() -> None:
    now = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    lost = AccountAlert(3, 4, int(now * 1000) + 60_000, "a", "dead", "account.unauthorized")
    assert build_alert(lost, now).__dict__ == {
        "event": "account.dead",
        "account": "a",
        "state": "dead",
        "reason": "account.unauthorized",
        "until": None,
        "ready": 3,
        "accounts": 4,
        "time": "2024-01-02T03:04:05+00:00",
    }
    few = build_alert(AccountAlert(1, 4, int(now * 1000) + 60_000, few=True), now)
    assert (few.event, few.account, few.until) == ("accounts.few", None, "2024-01-02T03:05:05+00:00")
    assert build_alert(AccountAlert(0, 4, 0, few=True), now).until is None
    enough = build_alert(AccountAlert(4, 4, int(now * 1000) + 60_000, few=False), now)
    assert (enough.event, enough.until) == ("accounts.enough", None)
    quarantined = build_alert(AccountAlert(3, 4, 0, "a", "quarantined", "account.captcha"), now)
    assert {build_alert(lost, now).event, few.event, enough.event, quarantined.event} == set(EVENTS)


@pytest.mark.usefixtures("alerts")
async def test_of_several_workers_one_sends_each_alert_once(hook: Hook, book: Book) -> None:
    await book.fall("a", "quarantined")
    await until(lambda: hook.events == [("account.quarantined", "a")])
    body = hook.received[0]
    assert {name: body[name] for name in ("state", "reason", "until", "ready", "accounts")} == {
        "state": "quarantined",
        "reason": "because.quarantined",
        "until": None,
        "ready": 3,
        "accounts": 4,
    }
    await book.fall("b", "cooling", 60)
    await book.fall("c", "dead")
    await until(lambda: len(hook.received) == 3)
    assert sorted(hook.events[1:], key=str) == [("account.dead", "c"), ("accounts.few", None)]
    few = next(alert for alert in hook.received if alert["event"] == "accounts.few")
    assert 0 < moment(few["until"]) - moment(few["time"]) <= 60
    await book.ledger.execute_order("b", "reset")
    await until(lambda: hook.events[3:] == [("accounts.enough", None)])


@pytest.mark.usefixtures("alerts")
async def test_what_fails_is_tried_again(hook: Hook, book: Book) -> None:
    hook.statuses = [500, 302]
    with capture_logs() as logs:
        await book.fall("a", "dead")
        await until(lines(logs, "alert sent"))
    assert hook.events == [("account.dead", "a")] * 3


async def test_after_some_tries_it_is_given_up_with_a_warning_without_the_address(
    hook: Hook, book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    for library in (None, "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, library)
    hook.statuses = [500, 500, 503]
    with capture_logs() as logs:
        alerting = asyncio.create_task(AlertSender(hook.url, 0.5, book.ledger, look_every=0.02, pause=0.01).run())
        await book.fall("a", "dead")
        await until(lines(logs, "could not send an alert"))
        await book.fall("b", "dead")
        await until(lines(logs, "alert sent"))
        alerting.cancel()
    assert hook.events == [("account.dead", "a")] * 3 + [("account.dead", "b")]
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert (warning["alert"], warning["account"], warning["cause"]) == ("account.dead", "a", "HTTP 503")
    assert SECRET not in str(logs) + caplog.text


@pytest.mark.parametrize("listener", ["nobody", "somebody who does not answer"])
async def test_a_webhook_that_is_not_there_harms_nothing(hook: Hook, book: Book, listener: str) -> None:
    hook.held.clear()
    url = hook.url if listener != "nobody" else f"http://127.0.0.1:{free_port()}/{SECRET}"
    with capture_logs() as logs:
        alerting = asyncio.create_task(
            AlertSender(url, 0.5, book.ledger, look_every=0.02, pause=0.01, limit=0.05).run()
        )
        await book.fall("a", "dead")
        await until(lines(logs, "could not send an alert"))
        assert not alerting.done()
        alerting.cancel()
        await asyncio.wait([alerting])
    assert SECRET not in str(logs)
    hook.held.set()


async def test_a_redis_that_is_away_is_waited_for(hook: Hook, book: Book, store: HookedStore) -> None:
    store.before["news"] = Away(2)
    await book.fall("a", "dead")
    alerting = asyncio.create_task(AlertSender(hook.url, 0.5, book.ledger, look_every=0.02, pause=0.01).run())
    await until(lambda: hook.events == [("account.dead", "a")])
    alerting.cancel()


async def test_workers_send_alerts_only_if_they_have_a_webhook(client: Client, hook: Hook) -> None:
    book = Book(client.store)
    await book.announce()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(client.store, ScriptedProvider(), alert_webhook=None))
        await book.fall("c", "dead")
        await until(lambda: "take_handed_in" in client.store.calls)
        assert "news" not in client.store.calls
        await stack.enter_async_context(
            serving(client.store, ScriptedProvider(), alert_webhook=hook.url, alert_share=0.9)
        )
        await until(lambda: hook.events == [("account.dead", "c"), ("accounts.few", None)])


def test_it_is_off_by_default() -> None:
    assert WorkerSettings().alert_webhook is None
