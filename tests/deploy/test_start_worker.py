"""deploy/start-worker.sh: which accounts a worker in a container takes, and which upstream it asks."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from worker.accounts.directory import DirectoryState, load_accounts

EMULATOR = {
    "BING_CREATE_URL": "http://emulator:8190/turing/conversation/create",
    "BING_CHAT_URL": "ws://emulator:8190/sydney/ChatHub",
    "BING_IMAGE_URL": "http://emulator:8190",
}


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def start(folder: Path, *, found_after: int) -> dict[str, str]:
    """Start with a name server that knows the emulator from the given try on; what the worker is started with."""
    (folder / "tmp").mkdir()
    programs = folder / "programs"
    programs.mkdir()
    program(programs, "python", f'[ "$*" = "-m worker" ] && env > "{folder}/started"')
    program(programs, "sleep", f'echo slept >> "{folder}/sleeps"')
    program(programs, "getent", f'echo asked >> "{folder}/asked"; [ "$(wc -l < "{folder}/asked")" -ge {found_after} ]')
    subprocess.run(
        ["sh", ROOT / "deploy" / "start-worker.sh"],
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "COOKIES_DIR": str(folder / "cookies"),
            "TMPDIR": str(folder / "tmp"),
        },
        check=True,
        timeout=20,
        capture_output=True,
    )
    return dict(line.split("=", 1) for line in (folder / "started").read_text().splitlines() if "=" in line)


@pytest.fixture
def cookies(tmp_path: Path) -> Path:
    folder = tmp_path / "cookies"
    folder.mkdir()
    (folder / "README.md").touch()
    return folder


def test_without_accounts_a_worker_asks_the_emulator_even_if_that_starts_later(tmp_path: Path, cookies: Path) -> None:
    (cookies / "accounts.toml").touch()
    started = start(tmp_path, found_after=3)
    assert EMULATOR.items() <= started.items()
    contents = load_accounts(Path(started["COOKIES_DIR"]))
    assert contents == DirectoryState(contents.accounts)
    assert [account.name for account in contents.accounts] == ["demo-1", "demo-2", "demo-3"]


def test_with_accounts_it_asks_bing_even_if_the_emulator_is_there(tmp_path: Path, cookies: Path) -> None:
    (cookies / "alice.json").touch()
    started = start(tmp_path, found_after=1)
    assert started["COOKIES_DIR"] == str(cookies)
    assert not EMULATOR.keys() & started.keys()


def test_without_accounts_and_emulator_it_waits_for_an_export_like_any_worker(tmp_path: Path, cookies: Path) -> None:
    started = start(tmp_path, found_after=1000)
    assert started["COOKIES_DIR"] == str(cookies)
    assert not EMULATOR.keys() & started.keys()
    assert (tmp_path / "sleeps").read_text().count("slept") == 10
