import asyncio
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import SOON, until
from tests.support.processes import write_accounts
from tests.support.worker.harness import ACCOUNTS, Client, HookedStore, settings_with
from tests.support.worker.scripted_provider import ScriptedProvider
from wire.answers import Answers
from wire.jobs import new_token
from wire.ledger import AccountSlot, Ledger
from wire.messages import Failed, Final
from wire.sessions import Sessions
from worker.accounts.watcher import DirectoryWatcher, WatchTimings
from worker.service import await_accounts, open_worker
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio


QUICK = WatchTimings(look_every=0.05, quiet=0.05, patience=0.05)


def settings(folder: Path, provider: str = "tests.support.worker.scripted_provider:ScriptedProvider") -> WorkerSettings:
    return settings_with(cookies_dir=folder, provider=provider)


async def test_the_accounts_of_the_folder_are_taken(tmp_path: Path) -> None:
    write_accounts(tmp_path, "one", "two")
    with capture_logs() as logs:
        accounts = await await_accounts(DirectoryWatcher(tmp_path, timings=QUICK))
    assert [account.name for account in accounts] == ["one", "two"]
    assert logs == []


async def test_a_missing_folder_is_reported_once_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "cookies"
    with capture_logs() as logs:
        waiting = asyncio.create_task(await_accounts(DirectoryWatcher(folder, timings=QUICK)))
        await until(lambda: len(logs) == 2)
        write_accounts(folder, "one")
        async with asyncio.timeout(SOON):
            assert [account.name for account in await waiting] == ["one"]
    assert [line["event"] for line in logs] == [
        f"{folder} can't be read as the folder of cookie exports: No such file or directory",
        f"no usable account in {folder}, waiting for one",
    ]
    assert {line["log_level"] for line in logs} == {"warning"}


async def test_each_thing_about_the_folder_is_reported_once(tmp_path: Path) -> None:
    with capture_logs() as logs:
        waiting = asyncio.create_task(await_accounts(DirectoryWatcher(tmp_path, timings=QUICK)))
        await until(lambda: len(logs) == 1)
        (tmp_path / "one.json").write_text("")
        await until(lambda: len(logs) == 2)
        write_accounts(tmp_path, "two")
        (tmp_path / "two.json").chmod(0o644)
        async with asyncio.timeout(SOON):
            await waiting
    assert [line["event"] for line in logs] == [
        f"no usable account in {tmp_path}, waiting for one",
        "one.json is empty",
        "two.json can be used by others than its owner: chmod 600 it",
    ]


async def test_a_malformed_file_beside_a_good_one_is_reported(tmp_path: Path) -> None:
    write_accounts(tmp_path, "one")
    (tmp_path / "two.json").touch(mode=0o600)
    (tmp_path / "two.json").write_text("[]")
    with capture_logs() as logs:
        assert len(await await_accounts(DirectoryWatcher(tmp_path, timings=QUICK))) == 1
    assert [line["event"] for line in logs] == [
        "two.json has no _U cookie: export it while signed in at www.bing.com",
    ]


async def test_waiting_for_accounts_can_be_given_up(tmp_path: Path) -> None:
    waiting = asyncio.create_task(await_accounts(DirectoryWatcher(tmp_path, timings=QUICK)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_worker_serves_with_the_provider_of_the_settings(tmp_path: Path, store: HookedStore) -> None:
    async with open_worker(settings(tmp_path), store, ACCOUNTS) as served:
        running = asyncio.create_task(served.run())

        async def alive() -> bool:
            return await Sessions(store).list_live_workers() == [served.id]

        await until(alive)
        provider = served._upstream.providers.chat_for(ACCOUNTS[0])
        assert isinstance(provider, ScriptedProvider)
        served.drain()
        async with asyncio.timeout(SOON):
            await running
        assert not provider.closed
    assert provider.closed


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [
        ("nothing", "PROVIDER=nothing is neither one of .* nor of the form module:Class"),
        ("nowhere.to.be.found:Class", "PROVIDER=nowhere.to.be.found:Class can't be loaded: No module named 'nowhere'"),
        (
            "tests.support.worker.scripted_provider:Missing",
            "PROVIDER=tests.support.worker.scripted_provider:Missing can't be loaded: module .* has no",
        ),
    ],
)
async def test_a_wrong_provider_is_one_sentence(
    tmp_path: Path, store: HookedStore, provider: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        async with open_worker(settings(tmp_path, provider), store, ACCOUNTS):
            pass


async def test_what_changes_in_the_folder_reaches_the_turns(tmp_path: Path, store: HookedStore) -> None:
    """Added, replaced and removed while the worker serves."""
    write_accounts(tmp_path, "one")
    folder = DirectoryWatcher(tmp_path, timings=QUICK)
    accounts = await await_accounts(folder)
    ledger = Ledger(store)

    async def has_state(name: str, state: str | None) -> bool:
        states = {status.name: status.state for status in await ledger.read_statuses()}
        return states.get(name) == state

    async with (
        open_worker(settings(tmp_path), store, accounts, folder) as opened,
        Answers(store) as answers,
    ):
        running = asyncio.create_task(opened.run())
        client = Client(store, answers)
        await until(lambda: has_state("one", "ready"))
        slot = AccountSlot("s0-job", 1, "w")
        await ledger.reserve(slot, {"one": 0}, 60)
        await ledger.record("one", slot, accounts[0].fingerprint, "quarantined", "account.captcha", sent=True, pause=0)
        token = new_token()
        refused = await client.end(await client.ask("refused", token))
        assert isinstance(refused, Failed)
        write_accounts(tmp_path, "two")
        await until(lambda: has_state("two", "ready"))
        assert await client.text(await client.ask("asked", token)) == "you asked: asked"
        cookies = [{"name": "_U", "value": "a new one", "domain": ".bing.com"}]
        (tmp_path / "one.json").write_text(json.dumps(cookies))
        await until(lambda: has_state("one", "ready"))
        (tmp_path / "two.json").unlink()
        await until(lambda: opened._upstream.pool.names(pictures=False) == ["one"])
        moved = await client.end(await client.ask("moved", token))
        assert isinstance(moved, Final)
        assert moved.reset
        opened.drain()
        await running
