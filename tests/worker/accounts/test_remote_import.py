"""Exports that were handed in elsewhere."""

import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.processes import write_accounts
from tests.support.worker.harness import Away, Client, HookedStore
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import ScriptedProvider
from wire.audit_log import AuditLog
from wire.ledger import Ledger
from worker.accounts.directory import load_accounts
from worker.accounts.remote_import import RemoteImporter
from worker.providers import require_cookies

pytestmark = pytest.mark.anyio

EXPORT = b'[{"name": "_U", "value": "planted-secret"}]'


async def test_a_worker_writes_what_was_handed_in(client: Client, tmp_path: Path) -> None:
    write_accounts(tmp_path, "alice")
    async with serving(client.store, ScriptedProvider(), cookies_dir=tmp_path):
        await Ledger(client.store).submit_export("alice", EXPORT)
        await until(lambda: require_cookies(load_accounts(tmp_path).accounts[0]).cookies == {"_U": "planted-secret"})


async def test_a_folder_that_is_not_writable_leaves_it_to_other_workers(
    store: HookedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable, writable = tmp_path / "readable", tmp_path / "writable"
    write_accounts(readable)
    write_accounts(writable)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != readable and access(path, mode))
    ledger = Ledger(store)
    await ledger.submit_export("alice", EXPORT)
    await RemoteImporter(readable, ledger, AuditLog(store), look_every=0.02).import_all()
    await RemoteImporter(tmp_path / "none", ledger, AuditLog(store), look_every=0.02).import_all()
    assert list(readable.iterdir()) == []
    await RemoteImporter(writable, ledger, AuditLog(store), look_every=0.02).import_all()
    assert [path.name for path in writable.iterdir()] == ["alice.json"]


async def test_what_can_not_be_used_is_reported_without_any_secret(store: HookedStore, tmp_path: Path) -> None:
    ledger = Ledger(store)
    await ledger.submit_export("alice", EXPORT)
    await ledger.submit_export("bob", EXPORT.replace(b"_U", b"MUID"))
    await ledger.submit_export("../carol", EXPORT)
    with capture_logs() as logs:
        await RemoteImporter(tmp_path, ledger, AuditLog(store), look_every=0.02).import_all()
    logged = {line["account"]: (line["log_level"], line.get("cause", "")) for line in logs}
    assert logged == {
        "alice": ("info", ""),
        "bob": ("warning", "bob.json has no _U cookie: export it while signed in at www.bing.com"),
        "../carol": ("warning", logged["../carol"][1]),
    }
    assert logged["../carol"][1].startswith("an account's name has")
    assert "planted-secret" not in str(logs)


async def test_the_name_of_the_environments_server_is_refused_and_reported(client: Client, tmp_path: Path) -> None:
    write_accounts(tmp_path, "alice")
    journal = AuditLog(client.store)
    address = "http://127.0.0.1:1/v1"
    async with serving(
        client.store, ScriptedProvider(), cookies_dir=tmp_path, openai_base_url=address, openai_model="m"
    ):
        await Ledger(client.store).submit_export("openai", EXPORT)
        sentence = "openai is the name of a server: give the account another one"

        async def reported() -> bool:
            events = await journal.read_latest(10)
            return {"kind": "refused", "name": "openai", "reason": sentence} in [event.fields for event in events]

        await until(reported)
    assert os.listdir(tmp_path) == ["alice.json"]


async def test_a_redis_that_is_away_is_waited_for(store: HookedStore, tmp_path: Path) -> None:
    away = store.before["take_handed_in"] = Away(2)
    ledger = Ledger(store)
    await ledger.submit_export("alice", EXPORT)
    looking = asyncio.create_task(RemoteImporter(tmp_path, ledger, AuditLog(store), look_every=0.02).run())
    await until(lambda: (tmp_path / "alice.json").exists())
    assert away.met == 2
    looking.cancel()
