"""What an open console receives."""

import asyncio
import signal
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sse_starlette.sse import AppStatus

import gateway.console.poller
import gateway.console.stream
from gateway.console.poller import ConsoleSnapshot, Poller
from gateway.console.stream import ConsoleStreamResponse, SentState
from tests.support.conditions import until
from tests.support.gateway.console_client import BEARER, KEY, console, looking, sees
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.wire.scenario import Scenario
from wire.audit_log import AuditEvent, AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import AccountRecord, AccountSlot, AccountStatus, Ledger
from wire.messages import Chat, Delta, Final
from wire.overview import Overview
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter

pytestmark = pytest.mark.anyio

SECRETS = ("planted-question", "planted-print", KEY)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.console.poller, "_INTERVAL", 0.05)


async def test_it_needs_a_key(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path) as gateway:
        assert (await gateway.client.get("/console/live")).status_code == 401
        assert (await gateway.client.get("/console/live", params={"api_key": KEY})).status_code == 401
        assert (await gateway.client.head("/console/live")).status_code == 401
        assert (await gateway.client.head("/console/live", headers=BEARER)).status_code == 200


async def test_a_console_sees_accounts_workers_gateways_and_events(store: Store, tmp_path: Path) -> None:
    ledger = Ledger(store)
    await ledger.announce(
        AccountRecord("alice", "planted-print", daily=200, provider="edgegpt"), AccountStatus("alice")
    )
    speaker = Reporter(
        store, "worker", "scripted", lambda: ProcessLoad(slots=8, used=2), lambda: {"done": 3}, lambda: False
    )
    async with console(store, tmp_path) as gateway, looking(gateway) as page:
        await speaker.report()
        await sees(lambda: page.account("alice") and page.minutes and page.state["workers"][0]["slots"])
        assert page.last["hello"]["admin"] == "olivia"
        assert page.account("alice")["provider"] == "edgegpt"
        assert page.account("alice")["daily"] == 200
        (worker,) = page.state["workers"]
        assert (worker["name"], worker["state"], worker["slots"], worker["used"]) == ("scripted", "up", 8, 2)
        await sees(lambda: [one["state"] for one in page.state["gateways"]] == ["up"])
        await sees(lambda: sum(counts.get("done", 0) for counts in page.minutes.values()) == 3)
        place = AccountSlot("answer", 1, "w")
        await ledger.reserve(place, {"alice": 0}, 60)
        await ledger.record("alice", place, "planted-print", "cooling", "account.throttled", sent=True, pause=3600)
        await sees(lambda: page.account("alice")["state"] == "cooling")
        assert page.account("alice")["reason"] == "account.throttled"
        assert page.account("alice")["until"] - page.last["state"]["now"] > 3_500_000
        await sees(lambda: page.events[-1].get("state") == "cooling")
        assert not [secret for secret in SECRETS if secret in page.raw]


async def test_an_answer_is_seen_without_its_question_or_token(store: Store, tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with console(store, tmp_path) as gateway, looking(gateway) as page:
        gateway.worker.scripts["planted-question"] = [Delta("planted-text"), gate, Final("planted-text")]
        scenario = Scenario(store)
        asked = await scenario.ask("planted-question")
        load = ProcessLoad(slots=8, used=1, running=((asked.answer, "chat"),))
        await Reporter(store, "worker", "scripted", lambda: load, dict, lambda: False).report()
        await sees(lambda: page.state.get("answers") and page.state["answers"][0]["state"] == "STREAMING")
        (answer,) = page.state["answers"]
        assert (answer["id"], answer["kind"], answer["worker"], answer["seq"]) == (asked.answer, "chat", "scripted", 1)
        gate.set()
        await sees(lambda: page.state["answers"] == [])
        assert gateway.worker.asked[0][1] == Chat("balanced", "planted-question")
        assert "planted" not in page.raw.replace(KEY, "")
        assert asked.token not in page.raw


async def test_all_consoles_share_one_pair_of_eyes_that_close_with_the_last(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = Overview.read_queue

    async def counted(self: Overview, first: int) -> object:
        nonlocal looks
        looks += 1
        return await look(self, first)

    monkeypatch.setattr(Overview, "read_queue", counted)
    monkeypatch.setattr(gateway.console.poller, "_INTERVAL", 0.2)
    async with console(store, tmp_path) as gateway_:
        async with looking(gateway_) as one, looking(gateway_) as other, looking(gateway_) as third:
            await sees(lambda: one.state and other.state and third.state)
            before, began = looks, asyncio.get_running_loop().time()
            await until(lambda: looks >= before + 3)
            assert looks - before <= (asyncio.get_running_loop().time() - began) / 0.2 + 1
        await until(lambda: not looking_tasks())
        after = looks
        assert (await gateway_.client.get("/readyz")).status_code == 200
        assert looks == after


async def test_only_so_many_consoles_at_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.console.stream, "_MAX_CONSOLES", 1)
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        await sees(lambda: page.state)
        response = await gateway_.client.get("/console/live", headers=BEARER)
        assert (response.status_code, response.headers["retry-after"]) == (429, "10")


async def test_it_ends_at_once_when_the_gateway_drains(store: Store, tmp_path: Path) -> None:
    async with (
        console(store, tmp_path, drain_timeout=30.0) as gateway_,
        gateway_.client.stream("GET", "/console/live", headers=BEARER) as response,
    ):
        gateway_.active_requests.drain()
        async with asyncio.timeout(5):
            assert (await response.aread()).startswith(b"event: hello")


async def test_a_drain_ends_it_with_its_last_chunk_on_a_real_connection(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path, drain_timeout=30.0) as gateway_:
        head = b"GET /console/live HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer %s\r\n\r\n" % KEY.encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway_.port)
        writer.write(head)
        async with asyncio.timeout(5):
            headers = await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"event: hello")
            gateway_.active_requests.drain()
            rest = await reader.read()
        writer.close()
        assert b"content-type: text/event-stream; charset=utf-8" in headers
        assert b"cache-control: no-store" in headers
        assert b"connection:" not in headers.lower()
        assert rest.endswith(b"0\r\n\r\n")


async def test_no_state_of_the_process_ends_a_stream(store: Store, tmp_path: Path) -> None:
    """A signal to another uvicorn server of the process sets a flag of sse-starlette's, unless that is turned off."""
    other = uvicorn.Server(uvicorn.Config("none:none"))
    other.handle_exit(signal.SIGTERM, None)
    assert other.should_exit
    assert not AppStatus.should_exit
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        await sees(lambda: len(page.names) > 2)


async def test_a_console_that_does_not_read_is_let_go(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.console.stream, "_SEND_LIMIT", 0.05)

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with console(store, tmp_path) as gateway_:
        poller = Poller(Overview(store), Ledger(store), AuditLog(store))
        sent: list[str] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message["type"])
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        response = ConsoleStreamResponse(poller, gateway_.active_requests, "olivia")
        async with asyncio.timeout(5):
            await response({"type": "http", "method": "GET"}, receive, send)
        assert sent == ["http.response.start", "http.response.body"]
        assert poller.subscribers == 0


async def test_a_redis_that_is_away_is_said(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        await sees(lambda: page.state)

        async def away(*_: object) -> None:
            raise StoreUnavailableError("away")

        with monkeypatch.context() as patched:
            patched.setattr(Overview, "read_queue", away)
            await sees(lambda: page.names[-1] == "away")
        await sees(lambda: page.names[-1] != "away")
        assert "state" in page.names[page.names.index("away") :]


async def test_a_look_that_fails_is_logged_and_the_next_one_comes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        with monkeypatch.context() as patched:
            patched.setattr(gateway.console.poller, "build_snapshot", lambda *_: 1 / 0)
            await sees(lambda: "away" in page.names)
        await sees(lambda: page.names[-1] != "away")


async def test_a_gateway_speaks_of_itself_until_it_leaves(store: Store, gateway: RunningGateway) -> None:
    overview = Overview(store)

    async def speaking() -> bool:
        return [one.kind for one in await overview.read_processes() if one.kind == "gateway"] == ["gateway"]

    await until(speaking)
    async with running(store, settings(), worker=False):
        await until(lambda: _two(overview))
    await until(speaking)


def looking_tasks() -> list[str]:
    """Tasks of the console's that run in this process, gateway and test together."""
    names = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [name for name in names if "Poller." in name or "ConsoleStream" in name]


async def _two(overview: Overview) -> bool:
    return len([one for one in await overview.read_processes() if one.kind == "gateway"]) == 2


def test_what_has_not_changed_is_told_again_after_ten_seconds() -> None:
    sent, snapshot = SentState(), ConsoleSnapshot(state=b'{"a":1}', now=5)
    assert list(sent.render_changes(snapshot, 100.0)) == [b'event: state\ndata: {"now":5,"state":{"a":1}}\n\n']
    assert list(sent.render_changes(snapshot, 109.0)) == []
    assert len(list(sent.render_changes(snapshot, 110.0))) == 1
    snapshot.state = b'{"a":2}'
    assert len(list(sent.render_changes(snapshot, 111.0))) == 1


def test_minutes_and_events_are_told_once() -> None:
    sent, snapshot = (
        SentState(state=b"{}", at=0.0),
        ConsoleSnapshot(state=b"{}", minutes={1: {"done": 1}, 2: {"done": 2}}),
    )
    snapshot.events.extend([AuditEvent("9-0", {"kind": "a"}), AuditEvent("10-0", {"kind": "b"})])
    minutes, events = sent.render_changes(snapshot, 1.0)
    assert minutes == b'event: minutes\ndata: {"1":{"done":1},"2":{"done":2}}\n\n'
    assert events == b'event: events\ndata: [{"id":"9-0","kind":"a"},{"id":"10-0","kind":"b"}]\n\n'
    snapshot.minutes = {2: {"done": 3}, 1: {"done": 1}}
    snapshot.events.append(AuditEvent("10-1", {"kind": "c"}))
    assert list(sent.render_changes(snapshot, 2.0)) == [
        b'event: minutes\ndata: {"2":{"done":3}}\n\n',
        b'event: events\ndata: [{"id":"10-1","kind":"c"}]\n\n',
    ]
