"""What an operator can do, and that it is logged without any secret."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.answering.timings import Timings
from telemetry.answer_digest import digest_answer
from tests.support.conditions import until
from tests.support.gateway.console_client import BEARER, console
from tests.support.gateway.harness import RunningGateway
from tests.support.gateway.key_file import QUICK, write
from tests.support.gateway.slow_body import slow_body
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire.answers import Answers
from wire.audit_log import AuditLog
from wire.jobs import new_answer_id
from wire.ledger import PICTURES, AccountRecord, AccountStatus, Ledger
from wire.messages import Delta, Final
from wire.overview import Overview
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter

pytestmark = pytest.mark.anyio

EXPORT = '[{"name": "_U", "value": "planted-secret"}]'


async def standing(ledger: Ledger, name: str) -> AccountStatus:
    return next(status for status in await ledger.read_statuses() if status.name == name)


async def events(store: Store, kind: str) -> list[dict[str, str]]:
    """Those of a kind, oldest first."""
    events = reversed(await AuditLog(store).read_latest(100))
    return [dict(event.fields) for event in events if event.fields["kind"] == kind]


async def test_orders_reach_the_account_and_its_pictures(store: Store, tmp_path: Path) -> None:
    ledger = Ledger(store)
    for name in ("a b", "a b" + PICTURES):
        await ledger.announce(AccountRecord(name, "print"), AccountStatus(name))
    async with console(store, tmp_path) as gateway:
        with capture_logs() as logs:
            response = await gateway.client.post("/console/accounts/a%20b/pause", headers=BEARER)
    assert response.json() == {"code": 200, "message": "success"}
    assert (await standing(ledger, "a b")).paused
    assert (await standing(ledger, "a b" + PICTURES)).paused
    (line,) = [line for line in logs if "order" in line]
    assert (line["admin"], line["account"], line["order"]) == ("olivia", "a b", "pause")
    orders = [(event["name"], event["order"], event["by"]) for event in await events(store, "order")]
    assert orders == [("a b", "pause", "olivia"), ("a b" + PICTURES, "pause", "olivia")]


@pytest.mark.parametrize("path", ["accounts/unknown/pause", "accounts/a/destroy", "answers/s0-unknown/stop"])
async def test_what_is_not_there_is_404(store: Store, tmp_path: Path, path: str) -> None:
    await Ledger(store).announce(AccountRecord("a", "print"), AccountStatus("a"))
    async with console(store, tmp_path) as gateway:
        assert (await gateway.client.post(f"/console/{path}", headers=BEARER)).status_code == 404
    assert not (await standing(Ledger(store), "a")).paused


@pytest.mark.parametrize("path", ["accounts/a/pause", "accounts", "answers/s0-1/stop"])
async def test_nothing_is_done_without_a_key(store: Store, tmp_path: Path, path: str) -> None:
    ledger = Ledger(store)
    await ledger.announce(AccountRecord("a", "print"), AccountStatus("a"))
    async with console(store, tmp_path) as gateway:
        body = {"name": "a", "export": EXPORT}
        query = {"api_key": BEARER["authorization"].removeprefix("Bearer ")}
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": query["api_key"]}):
            response = await gateway.client.post(f"/console/{path}", headers=headers, params=query, json=body)
            assert response.status_code == 401
        assert (await gateway.client.get(f"/console/{path}", headers=BEARER)).status_code == 405
    assert not (await standing(ledger, "a")).paused
    assert await ledger.take_export() is None


async def test_a_key_that_is_removed_before_the_body_has_come_does_nothing(store: Store, tmp_path: Path) -> None:
    body = json.dumps({"name": "alice", "export": EXPORT}).encode()
    headers = f"Authorization: {BEARER['authorization']}", "Content-Type: application/json"
    async with (
        console(store, tmp_path, timings=QUICK) as gateway,
        slow_body(gateway, "/console/accounts", body, *headers) as request,
    ):
        write(tmp_path / "admins", "pete")

        async def is_refused() -> bool:
            return (await gateway.client.head("/console/live", headers=BEARER)).status_code == 401

        await until(is_refused)
        assert b" 401 " in await request.finish()
    assert await Ledger(store).take_export() is None


async def test_a_pasted_export_lies_there_for_a_worker_and_in_no_log(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path) as gateway:
        with capture_logs() as logs:
            body = {"name": "alice", "export": EXPORT}
            response = await gateway.client.post("/console/accounts", headers=BEARER, json=body)
    assert response.status_code == 200
    assert await Ledger(store).take_export() == ("alice", EXPORT.encode())
    output = f"{logs} {[event.fields for event in await AuditLog(store).read_latest(10)]} {response.text}"
    assert "olivia" in output
    assert "planted-secret" not in output


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"{}", "application/json"),
        (b'{"name": "a", "export": 1}', "application/json"),
        (b'{"name": "a", "export": "x"}', "text/plain"),
        (b'{"name": "", "export": "x"}', "application/json"),
        (b'{"name": "../a", "export": "x"}', "application/json"),
        (b'{"name": ".a", "export": "x"}', "application/json"),
        (b'{"name": "a\\u0000", "export": "x"}', "application/json"),
        (b'{"name": "a", "export": ""}', "application/json"),
        (b'{"name": "a", "export": "%s"}' % (b"x" * (1024 * 1024 + 1)), "application/json"),
    ],
)
async def test_what_is_no_export_is_refused(store: Store, tmp_path: Path, body: bytes, kind: str) -> None:
    async with console(store, tmp_path, worker=False) as gateway:
        headers = BEARER | {"content-type": kind}
        response = await gateway.client.post("/console/accounts", headers=headers, content=body)
    assert response.status_code == 400
    assert await Ledger(store).take_export() is None


async def test_too_many_exports_come_back_later(store: Store, tmp_path: Path) -> None:
    ledger = Ledger(store)
    for number in range(16):
        await ledger.submit_export(str(number), b"x")
    async with console(store, tmp_path) as gateway:
        body = {"name": "alice", "export": EXPORT}
        response = await gateway.client.post("/console/accounts", headers=BEARER, json=body)
    assert (response.status_code, response.headers["retry-after"]) == (429, "60")


async def test_an_answer_is_stopped_whoever_asked(store: Store, tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with console(store, tmp_path) as gateway:
        gateway.worker.scripts["long"] = [Delta("so far"), gate, Final("never")]
        query = {"style": "balanced", "question": "long"}
        asking = asyncio.create_task(gateway.client.get("/api", params=query))
        await until(lambda: bool(gateway.worker.asked))
        redis: Any = redis_client(store)
        (name,) = [key.decode().rsplit(":", 1)[1] for key in await redis.keys("*:job:*")]
        assert (await gateway.client.post(f"/console/answers/{name}/stop", headers=BEARER)).status_code == 200
        answered = (await asking).json()
        gate.set()
    assert answered["data"]["reset"] is True
    assert await events(store, "stop") == [{"kind": "stop", "name": digest_answer(name), "by": "olivia"}]


async def test_an_answer_that_waits_is_stopped_by_the_digest_of_its_id(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path, worker=False) as gateway:
        others, asked = [[(await Scenario(store).ask("hi")).answer for _ in range(3)] for _ in range(2)]
        assert await stop_by_digest(gateway, asked[1]) == 200
        states = [(await Answers(store).read_progress(answer)).state for answer in (*others, *asked)]
        assert states == ["queued"] * 4 + ["stopped", "queued"]


async def test_an_answer_that_was_just_taken_is_stopped_once_its_worker_reports_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_answers, looks = Overview.list_answers, []

    async def look(self: Overview) -> list[str]:
        looks.append(await list_answers(self))
        return looks[-1]

    monkeypatch.setattr(Overview, "list_answers", look)
    async with console(store, tmp_path, worker=False, timings=Timings(report_every=0.5)) as gateway:
        scenario = Scenario(store)
        answer = (await scenario.ask("hi")).answer
        await scenario.take("scripted")
        stop = asyncio.create_task(stop_by_digest(gateway, answer))
        await until(lambda: looks == [[]], "the operator's gateway looks in vain")
        load = ProcessLoad(running=((answer, "chat"),))
        await Reporter(store, "worker", "scripted", lambda: load, dict, lambda: False).report()
        assert await stop == 200
        assert (await Answers(store).read_progress(answer)).state == "stopped"


async def stop_by_digest(gateway: RunningGateway, answer: str) -> int:
    path = f"/console/answers/{digest_answer(answer)}/stop"
    return (await gateway.client.post(path, headers=BEARER)).status_code


async def test_a_digest_of_no_answer_is_404(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path, timings=Timings(report_every=0.01)) as gateway:
        assert await stop_by_digest(gateway, new_answer_id()) == 404
