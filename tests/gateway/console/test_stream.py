"""What an open console receives."""

import asyncio
import signal
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sse_starlette.sse import AppStatus

from gateway.answering.timings import Timings
from gateway.auth.api_keys import read_keys
from gateway.console.admins import Admins
from gateway.console.poller import ConsoleSnapshot, Poller
from gateway.console.stream import ConsoleStreamResponse, SentState
from telemetry.answer_digest import digest_answer
from tests.support.conditions import until
from tests.support.gateway import console_client
from tests.support.gateway.console_client import BEARER, KEY, looking, sees
from tests.support.gateway.key_file import QUICK, write
from tests.support.wire.scenario import Scenario
from wire.audit_log import AuditEvent, AuditLog
from wire.ledger import AccountRecord, AccountSlot, AccountStatus, Ledger
from wire.messages import Chat, Delta, Final
from wire.overview import Overview
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.store_memory import StoreMemory

pytestmark = pytest.mark.anyio

SECRETS = ("planted-question", "planted-print", KEY)


MAX_CONSOLES = 32

console = partial(console_client.console, timings=Timings(console_poll_every=0.05))


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
    reporter = Reporter(
        store, "worker", "scripted", lambda: ProcessLoad(slots=8, used=2), lambda: {"done": 3}, lambda: False
    )
    async with console(store, tmp_path) as gateway, looking(gateway) as page:
        await reporter.report()
        await sees(lambda: page.account("alice") and page.minutes and page.state["workers"][0]["slots"])
        assert page.last["hello"]["admin"] == "olivia"
        assert page.account("alice")["provider"] == "edgegpt"
        assert page.account("alice")["daily"] == 200
        (worker,) = page.state["workers"]
        assert (worker["name"], worker["state"], worker["slots"], worker["used"]) == ("scripted", "up", 8, 2)
        await sees(lambda: [process["state"] for process in page.state["gateways"]] == ["up"])
        await sees(lambda: sum(counts.get("done", 0) for counts in page.minutes.values()) == 3)
        slot = AccountSlot("answer", 1, "w")
        await ledger.reserve(slot, {"alice": 0}, 60)
        await ledger.record("alice", slot, "planted-print", "cooling", "account.throttled", sent=True, pause=3600)
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
        question = await scenario.ask("planted-question")
        load = ProcessLoad(slots=8, used=1, running=((question.answer, "chat"),))
        await Reporter(store, "worker", "scripted", lambda: load, dict, lambda: False).report()
        await sees(lambda: page.state.get("answers") and page.state["answers"][0]["state"] == "STREAMING")
        (answer,) = page.state["answers"]
        assert (answer["id"], answer["kind"], answer["worker"], answer["seq"]) == (
            digest_answer(question.answer),
            "chat",
            "scripted",
            1,
        )
        gate.set()
        await sees(lambda: page.state["answers"] == [])
        assert gateway.worker.asked[0][1] == Chat("balanced", "planted-question")
        assert "planted" not in page.raw.replace(KEY, "")
        assert question.token not in page.raw
        assert question.answer not in page.raw


async def test_only_so_many_consoles_at_once(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page, AsyncExitStack() as consoles:
        await sees(lambda: page.state)
        for _ in range(MAX_CONSOLES - 1):
            stream = gateway_.client.stream("GET", "/console/live", headers=BEARER)
            assert (await consoles.enter_async_context(stream)).status_code == 200
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
    other = uvicorn.Server(uvicorn.Config("none:none", log_config=None))
    other.handle_exit(signal.SIGTERM, None)
    assert other.should_exit
    assert not AppStatus.should_exit
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        await sees(lambda: len(page.names) > 2)


async def test_a_console_that_does_not_read_is_let_go(store: Store, tmp_path: Path) -> None:
    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with console(store, tmp_path) as gateway_:
        poller = Poller(Overview(store), Ledger(store), AuditLog(store), StoreMemory(store))
        sent: list[str] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message["type"])
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        keys = read_keys(tmp_path / "admins", "ADMIN_KEYS_FILE")
        response = ConsoleStreamResponse(poller, gateway_.active_requests, Admins(keys, ()), keys[0], send_limit=0.05)
        async with asyncio.timeout(5):
            await response({"type": "http", "method": "GET"}, receive, send)
        assert sent == ["http.response.start", "http.response.body"]
        assert poller.subscribers == 0


async def test_it_ends_once_its_key_is_removed(store: Store, tmp_path: Path) -> None:
    async with (
        console_client.console(store, tmp_path, timings=QUICK) as gateway_,
        gateway_.client.stream("GET", "/console/live", headers=BEARER) as response,
    ):
        chunks, sent = response.aiter_text(), ""
        while "event: state" not in sent:
            sent += await anext(chunks)
        write(tmp_path / "admins", "pete")

        async def is_refused() -> bool:
            return (await gateway_.client.head("/console/live", headers=BEARER)).status_code == 401

        await until(is_refused)
        await AuditLog(store).record("planted")
        async with asyncio.timeout(5):
            rest = "".join([chunk async for chunk in chunks])
        assert "planted" not in rest
        bearer = {"authorization": "Bearer pete"}
        async with gateway_.client.stream("GET", "/console/live", headers=bearer) as response:
            chunks = response.aiter_text()
            while "planted" not in sent:
                sent += await anext(chunks)


def test_an_unchanged_state_is_sent_again_after_ten_seconds() -> None:
    sent, snapshot = SentState(), ConsoleSnapshot(state=b'{"a":1}', now=5)
    assert list(sent.render_changes(snapshot, 100.0)) == [b'event: state\ndata: {"now":5,"state":{"a":1}}\n\n']
    assert list(sent.render_changes(snapshot, 109.0)) == []
    assert len(list(sent.render_changes(snapshot, 110.0))) == 1
    snapshot.state = b'{"a":2}'
    assert len(list(sent.render_changes(snapshot, 111.0))) == 1


def test_minutes_and_events_are_sent_once() -> None:
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


def test_why_redis_is_away_is_sent() -> None:
    snapshot = ConsoleSnapshot(b"{}", away=True, reasons=["REDIS_URL is a replica"])
    assert list(SentState().render_changes(snapshot, 1.0)) == [
        b'event: away\ndata: {"reasons":["REDIS_URL is a replica"]}\n\n'
    ]
