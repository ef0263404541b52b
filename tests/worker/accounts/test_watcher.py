import asyncio
import logging
import os
import shutil
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import worker.accounts.watcher
from tests.support.conditions import SOON, until
from tests.support.processes import open_files
from tests.worker.accounts.test_directory import NOW, cookie, export, names, write
from worker.accounts.directory import DirectoryContents, DirectoryState, read_folder
from worker.accounts.watcher import DirectoryWatcher, WatchTimings
from worker.providers import require_cookies

pytestmark = pytest.mark.anyio

# Short waits, but patience enough for a slow machine.
QUICK = WatchTimings(look_every=0.05, quiet=0.05, patience=0.3)
Changes = AsyncGenerator[DirectoryState, None]


async def no_events(*_: Any, **__: Any) -> AsyncIterator[Any]:
    """Act like a system that has no events for this volume, or no watches left."""
    raise OSError("OS file watch limit reached")
    yield


@pytest.fixture(params=["events", "no events"], autouse=True)
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything with the system's events and without."""
    if request.param == "no events":
        monkeypatch.setattr(worker.accounts.watcher, "awatch", no_events)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[DirectoryContents]:
    """Grows with each reading of the folder."""
    contents: list[DirectoryContents] = []

    def read(folder: Path, providers: Collection[str]) -> DirectoryContents:
        contents.append(read_folder(folder, providers))
        return contents[-1]

    monkeypatch.setattr(worker.accounts.watcher, "read_folder", read)
    return contents


@pytest.fixture
async def changes(tmp_path: Path) -> AsyncIterator[Changes]:
    """Yield the states of an empty folder, after the first one."""
    changes = DirectoryWatcher(tmp_path, lambda: NOW, timings=QUICK).changes()
    assert await anext(changes) == DirectoryState()
    yield changes
    await changes.aclose()


async def next_state(changes: Changes) -> DirectoryState:
    """Return the next state."""
    async with asyncio.timeout(SOON):
        return await anext(changes)


def cookies(contents: DirectoryState) -> dict[str, str]:
    """Each account's sign-in."""
    return {account.name: require_cookies(account).cookies["_U"] for account in contents.accounts}


def test_the_waits_come_to_less_than_two_seconds() -> None:
    usual = WatchTimings()
    assert usual.look_every + usual.patience + usual.quiet <= 1.75


async def test_files_that_come_change_and_go_are_reported(tmp_path: Path, changes: Changes) -> None:
    write(tmp_path, "alice", "_U=one")
    assert cookies(await next_state(changes)) == {"alice": "one"}
    write(tmp_path, "bob", "_U=two")
    assert cookies(await next_state(changes)) == {"alice": "one", "bob": "two"}
    write(tmp_path, "alice", "_U=new")
    assert cookies(await next_state(changes)) == {"alice": "new", "bob": "two"}
    (tmp_path / "bob").unlink()
    assert cookies(await next_state(changes)) == {"alice": "new"}
    write(tmp_path, "carol", "no export")
    contents = await next_state(changes)
    assert cookies(contents) == {"alice": "new"}
    assert contents.problems == ("carol is in no format that is known here: cookies/README.md lists them",)


async def test_only_what_differs_is_reported(
    tmp_path: Path, changes: Changes, readings: list[DirectoryContents]
) -> None:
    waiting = asyncio.create_task(next_state(changes))
    write(tmp_path, "README.md", "nothing new")
    await until(lambda: len(readings) == 1)
    write(tmp_path, "alice", "_U=one")
    assert cookies(await waiting) == {"alice": "one"}


async def test_a_file_that_another_is_renamed_to_is_reported(tmp_path: Path, changes: Changes) -> None:
    write(tmp_path, "alice", "_U=one")
    assert cookies(await next_state(changes)) == {"alice": "one"}
    write(tmp_path, ".alice.part", "_U=two")
    (tmp_path / ".alice.part").rename(tmp_path / "alice")
    assert cookies(await next_state(changes)) == {"alice": "two"}


async def test_a_link_that_is_swapped_under_the_files_is_reported(tmp_path: Path, changes: Changes) -> None:
    """The way Kubernetes replaces the files of a mounted secret."""
    for version, sign_in in (("..1", "one"), ("..2", "two")):
        (tmp_path / version).mkdir()
        write(tmp_path / version, "alice", f"_U={sign_in}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "alice").symlink_to("..data/alice")
    assert cookies(await next_state(changes)) == {"alice": "one"}
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert cookies(await next_state(changes)) == {"alice": "two"}


async def test_a_file_outside_that_a_link_leads_to_is_followed(tmp_path: Path) -> None:
    """Nothing happens in the folder itself, so that the system reports no event."""
    folder = tmp_path / "cookies"
    folder.mkdir()
    write(tmp_path, "outside", "_U=one")
    (folder / "alice").symlink_to("../outside")
    changes = DirectoryWatcher(folder, lambda: NOW, timings=QUICK).changes()
    assert cookies(await next_state(changes)) == {"alice": "one"}
    write(tmp_path, "outside", "_U=two")
    assert cookies(await next_state(changes)) == {"alice": "two"}
    await changes.aclose()


async def test_the_folder_may_come_late_go_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "cookies"
    missing = DirectoryState(
        problems=(f"{folder} can't be read as the folder of cookie exports: No such file or directory",)
    )
    changes = DirectoryWatcher(folder, lambda: NOW, timings=QUICK).changes()
    assert await next_state(changes) == missing
    for sign_in in ("one", "two"):
        folder.mkdir()
        write(folder, "alice", f"_U={sign_in}")
        assert cookies(await next_state(changes)) == {"alice": sign_in}
        shutil.rmtree(folder)
        assert await next_state(changes) == missing
    await changes.aclose()


async def test_a_folder_that_is_exchanged_for_another_is_reported_once(tmp_path: Path) -> None:
    for name, sign_in in (("cookies", "one"), ("next", "two")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "alice", f"_U={sign_in}")
    changes = DirectoryWatcher(tmp_path / "cookies", lambda: NOW, timings=QUICK).changes()
    assert cookies(await next_state(changes)) == {"alice": "one"}
    (tmp_path / "cookies").rename(tmp_path / "last")
    (tmp_path / "next").rename(tmp_path / "cookies")
    assert cookies(await next_state(changes)) == {"alice": "two"}
    write(tmp_path / "cookies", "bob", "_U=three")
    assert cookies(await next_state(changes)) == {"alice": "two", "bob": "three"}
    await changes.aclose()


async def test_new_terms_are_reported_and_a_mistake_in_them_changes_nothing(tmp_path: Path, changes: Changes) -> None:
    write(tmp_path, "alice", "_U=one")
    assert [account.weight for account in (await next_state(changes)).accounts] == [1.0]
    write(tmp_path, "accounts.toml", "[accounts.alice]\nweight = 2\nproxy = 'http://proxy:1'")
    contents = await next_state(changes)
    assert [(account.weight, account.proxy) for account in contents.accounts] == [(2.0, "http://proxy:1")]
    for mistake, sentence in (
        ("[accounts.alice]\nweight = 0", "accounts.toml, 'alice': weight must be a number above 0 and up to 1000"),
        ("[accounts.alice", "accounts.toml is not TOML"),
    ):
        write(tmp_path, "accounts.toml", mistake)
        assert await next_state(changes) == DirectoryState(contents.accounts, (sentence,))
    (tmp_path / "accounts.toml").unlink()
    assert [(account.weight, account.proxy) for account in (await next_state(changes)).accounts] == [(1.0, None)]


async def test_permissions_that_change_are_reported(tmp_path: Path, changes: Changes) -> None:
    write(tmp_path, "alice", "_U=one")
    assert (await next_state(changes)).warnings == ()
    (tmp_path / "alice").chmod(0o644)
    assert (await next_state(changes)).warnings == ("alice can be used by others than its owner: chmod 600 it",)


async def test_an_expiry_is_reported_when_its_time_comes(tmp_path: Path) -> None:
    now = [NOW - 2 * 24 * 3600]
    export(tmp_path, "alice", cookie("_U", "one", expirationDate=NOW))
    changes = DirectoryWatcher(tmp_path, lambda: now[0], timings=QUICK).changes()
    assert (await next_state(changes)).warnings == ()
    now[0] = NOW - 3600
    assert (await next_state(changes)).warnings == (
        "alice has a _U cookie that expires at 2023-11-14 22:13 UTC: sign in again and export anew",
    )
    now[0] = NOW
    assert await next_state(changes) == DirectoryState(
        problems=("alice has an expired _U cookie: sign in again and export anew",)
    )
    await changes.aclose()


async def test_what_the_files_define_is_found_out_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are thousands of files the worker's answers would wait for it."""
    threads: list[threading.Thread] = []
    state_at = DirectoryContents.state_at

    def record(contents: DirectoryContents, *args: Any) -> DirectoryState:
        threads.append(threading.current_thread())
        return state_at(contents, *args)

    monkeypatch.setattr(DirectoryContents, "state_at", record)
    now = [NOW - 2 * 24 * 3600]
    export(tmp_path, "alice", cookie("_U", "one", expirationDate=NOW))
    changes = DirectoryWatcher(tmp_path, lambda: now[0], timings=QUICK).changes()
    assert names(await next_state(changes)) == ["alice"]
    write(tmp_path, "bob", "_U=two")
    assert names(await next_state(changes)) == ["alice", "bob"]
    now[0] = NOW
    assert names(await next_state(changes)) == ["bob"]
    assert len(threads) >= 3
    assert threading.current_thread() not in threads
    await changes.aclose()


@pytest.mark.parametrize("known", [False, True])
async def test_a_copy_in_progress_is_waited_for(tmp_path: Path, readings: list[DirectoryContents], known: bool) -> None:
    export(tmp_path, "alice", cookie("_U", "one"))
    whole = (tmp_path / "alice").read_text()
    if not known:
        (tmp_path / "alice").unlink()
    changes = DirectoryWatcher(tmp_path, lambda: NOW, timings=replace(QUICK, patience=SOON)).changes()
    first = await next_state(changes)
    waiting = asyncio.create_task(next_state(changes))
    for part in (whole[:10], whole[:40]):
        count = len(readings)
        write(tmp_path, "alice", part)
        await until(lambda count=count: len(readings) > count + 1)  # type: ignore[misc]  # mypy knows no such defaults
        assert not waiting.done()
    write(tmp_path, "alice", whole.replace("one", "two"))
    contents = await waiting
    assert (cookies(contents), contents.problems) == ({"alice": "two"}, ())
    assert names(first) == ["alice"] * known
    await changes.aclose()


async def test_a_file_that_never_stops_growing_holds_nothing_up(tmp_path: Path, changes: Changes) -> None:
    async def grow() -> None:
        while True:
            with (tmp_path / "log.txt").open("a") as file:
                file.write("more\n")
            await asyncio.sleep(0.005)

    growing = asyncio.create_task(grow())
    write(tmp_path, "alice", "_U=one")
    assert cookies(await next_state(changes)) == {"alice": "one"}
    growing.cancel()


async def test_what_changes_after_it_was_loaded_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "alice", "_U=one")
    folder = DirectoryWatcher(tmp_path, lambda: NOW, timings=QUICK)
    assert names(folder.load()) == ["alice"]
    write(tmp_path, "bob", "_U=two")
    changes = folder.changes()
    assert names(await next_state(changes)) == ["alice", "bob"]
    await changes.aclose()


async def test_the_watching_ends_with_the_task_that_waits(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    tasks = asyncio.all_tasks()
    changes = DirectoryWatcher(tmp_path, lambda: NOW, timings=QUICK).changes()
    assert await next_state(changes) == DirectoryState()
    waiting = asyncio.create_task(next_state(changes))
    await until(lambda: watches() > 0 or "no events" in request.node.name)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: watches() == 0 and asyncio.all_tasks() == tasks)


def watches() -> int:
    """How many of the system's watches this process holds."""
    return sum("inotify" in file for file in open_files(os.getpid()))


async def test_no_value_is_reported_anywhere(
    tmp_path: Path, changes: Changes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    folder = DirectoryWatcher(tmp_path, timings=QUICK)
    write(tmp_path, "alice", "_U=pl4nted1; A=pl4nted")
    write(tmp_path, "bob", '[{"name": "_U", "value": "pl4nted2", "expirationDate": 1}]')
    write(tmp_path, "carol", "{pl4nted")
    write(tmp_path, "accounts.toml", "[accounts.alice]\nproxy = 'http://u:pl4nted@'")
    contents = await next_state(changes)
    assert len(contents.problems) == 4
    written = capfd.readouterr()
    for text in (repr(contents), repr(folder.load()), repr(vars(folder)), caplog.text, *written):
        assert "pl4nted" not in text
