"""Environments are made once from their lists. Nothing here asks a registry."""

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.peers import environments
from bench.peers.environments import Environments, output_of, pinned_version, program

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a list that names nothing; pip itself comes from such a list too."""
    pins = tmp_path / "nothing.txt"
    pins.write_text("# nothing\n")
    monkeypatch.setattr(environments, "_PIP", pins.with_name("pip.txt"))
    pins.with_name("pip.txt").write_text("# nothing\n")
    return pins


def change(pins: Path, text: str) -> None:
    pins.write_text(text)


async def test_an_environment_is_made_once_and_again_for_another_list(empty_pins: Path, tmp_path: Path) -> None:
    made = Environments(tmp_path / "cache")
    assert not made.has(empty_pins)
    commands = await made.python(empty_pins)
    assert made.has(empty_pins)
    (commands / "own").touch()
    assert (await made.python(empty_pins) / "own").exists()
    change(empty_pins, "# nothing else\n")
    assert not made.has(empty_pins)


async def test_what_can_not_be_installed_is_reported_and_tried_again(empty_pins: Path, tmp_path: Path) -> None:
    made = Environments(tmp_path / "cache")
    change(empty_pins, "no list at all !\n")
    with pytest.raises(BenchError, match=r"nothing-.* can't be installed: (?s:.*)no list at all"):
        await made.python(empty_pins)
    assert not made.has(empty_pins)


async def test_npm_installs_what_the_lock_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "portkey"
    source.mkdir()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (source / name).write_text(name)
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\nmkdir "$4/node_modules" && echo "$@" >"$4/node_modules/arguments"\n')
    npm.chmod(0o700)
    monkeypatch.setattr(environments, "program", lambda _: str(npm))
    modules = await Environments(tmp_path / "cache").node(source)
    assert (modules / "arguments").read_text().startswith("ci --silent --prefix ")
    assert (modules.parent / "package-lock.json").read_text() == "package-lock.json"


def test_a_version_is_that_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "it.in").write_text("# A program.\nit[proxy]==1.106.2\n")
    assert pinned_version(tmp_path / "it.txt") == "1.106.2"


async def test_a_program_of_the_machine_is_found_or_missed_in_one_sentence() -> None:
    assert await output_of(program("echo"), "here") == "here"
    with pytest.raises(BenchError, match="no-such-program is not installed"):
        program("no-such-program")
