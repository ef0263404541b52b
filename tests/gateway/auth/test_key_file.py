"""Keys that are added and removed while a gateway runs."""

import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import gateway.auth.key_file
from gateway.answering.timings import TIMINGS
from gateway.auth.key_file import KeyFile, follow_keys
from tests.support.conditions import until
from tests.support.gateway.console_client import BEARER
from tests.support.gateway.harness import running, settings
from tests.support.gateway.key_file import QUICK, asking, line, write
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


def names(keys: KeyFile) -> list[str]:
    return [key.name for key in keys]


async def refresh(keys: KeyFile) -> None:
    """Look at the file twice, as it takes to see that it has settled."""
    await keys.refresh()
    await keys.refresh()


def test_three_looks_come_to_less_than_two_seconds() -> None:
    assert 3 * TIMINGS.keys_look_every < 2


async def test_a_key_of_the_api_counts_while_its_line_is_there(store: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice")
    async with running(store, settings(api_keys_file=file), timings=QUICK) as gateway:
        assert await asking(gateway, "alice", 200)()
        assert await asking(gateway, "bob", 401)()
        write(file, "alice", "bob")
        await until(asking(gateway, "bob", 200))
        write(file, "bob")
        await until(asking(gateway, "alice", 401))
        assert await asking(gateway, "bob", 200)()


async def test_an_admin_key_counts_while_its_line_is_there(store: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "admins", "pete")
    async with running(store, settings(admin_keys_file=file), timings=QUICK) as gateway:

        async def order(key: str, status: int) -> bool:
            path, bearer = "/console/accounts/nobody/pause", {"authorization": f"Bearer {key}"}
            return (await gateway.client.post(path, headers=bearer)).status_code == status

        assert await order("pete", 404)
        write(file, "olivia")
        await until(lambda: order("olivia", 404))
        assert await order("pete", 401)
        assert (await gateway.client.get("/console/live", headers=BEARER)).status_code == 401


async def test_a_broken_file_keeps_the_keys_from_before_and_is_logged_once(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice")
    keys = KeyFile(file, "API_KEYS_FILE")
    file.write_text(line("bob") + "carol planted-secret\n")
    with capture_logs() as logs:
        for _ in range(5):
            await refresh(keys)
    assert names(keys) == ["alice"]
    (warning,) = logs
    assert warning["log_level"] == "warning"
    assert warning["cause"].startswith(f"API_KEYS_FILE: line 2 of {file} is not a name, a SHA-256 in hex")
    assert "planted-secret" not in str(logs)


async def test_a_file_that_is_gone_keeps_the_keys_until_it_is_back(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice")
    keys = KeyFile(file, "API_KEYS_FILE")
    file.unlink()
    with capture_logs() as logs:
        await refresh(keys)
        await refresh(keys)
    assert names(keys) == ["alice"]
    assert [entry["cause"] for entry in logs] == [f"API_KEYS_FILE: {file} can't be read"]
    write(file, "bob")
    await refresh(keys)
    assert names(keys) == ["bob"]
    file.unlink()
    with capture_logs() as logs:
        await refresh(keys)
    assert len(logs) == 1


async def test_a_file_that_could_not_be_opened_for_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process has too many open: nothing changes at the file afterwards."""
    file = write(tmp_path / "keys", "alice", "bob")
    keys = KeyFile(file, "API_KEYS_FILE")

    def fail(*_: object) -> None:
        raise ValueError("can't be read")

    with monkeypatch.context() as patched:
        patched.setattr(gateway.auth.key_file, "read_keys", fail)
        write(file, "bob")
        await refresh(keys)
    assert names(keys) == ["alice", "bob"]
    await keys.refresh()
    assert names(keys) == ["bob"]


async def test_without_its_last_line_every_key_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice")
    keys = KeyFile(file, "API_KEYS_FILE")
    file.write_text("# nobody\n")
    with capture_logs() as logs:
        await refresh(keys)
    assert names(keys) == []
    assert [entry["event"] for entry in logs] == ["the file of keys lists none: every key is refused"]


async def test_a_file_in_the_middle_of_a_write_is_not_read(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice", "bob")
    keys = KeyFile(file, "API_KEYS_FILE")
    write(file, "alice")
    await keys.refresh()
    write(file, "alice", "bob", "carol")
    await keys.refresh()
    assert names(keys) == ["alice", "bob"]
    await keys.refresh()
    assert names(keys) == ["alice", "bob", "carol"]


async def test_a_file_that_stays_as_it_is_is_read_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeyFile(write(tmp_path / "keys", "alice"), "API_KEYS_FILE")
    monkeypatch.setattr(gateway.auth.key_file, "read_keys", None)
    for _ in range(5):
        await keys.refresh()
    assert names(keys) == ["alice"]


async def test_an_exchanged_link_shows(tmp_path: Path) -> None:
    """Kubernetes changes a secret's files by a link to another folder."""
    for folder, name in (("one", "alice"), ("two", "bobby")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "keys", name)
    current = tmp_path / "current"
    current.symlink_to("one")
    keys = KeyFile(current / "keys", "API_KEYS_FILE")
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", current)
    await refresh(keys)
    assert names(keys) == ["bobby"]


async def test_a_failure_that_nobody_expected_does_not_end_the_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "keys", "alice")
    keys, stat = KeyFile(file, "API_KEYS_FILE"), os.stat

    def fail(path: Path) -> os.stat_result:
        monkeypatch.setattr(os, "stat", stat)
        raise RuntimeError(f"no thread to look at {path}")

    monkeypatch.setattr(os, "stat", fail)
    with capture_logs() as logs:
        following = asyncio.create_task(follow_keys([keys], look_every=0.01))
        write(file, "bob")
        await until(lambda: names(keys) == ["bob"])
        following.cancel()
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
