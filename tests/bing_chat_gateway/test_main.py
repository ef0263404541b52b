"""The command as a program."""

import sys
from pathlib import Path

import pytest

from bing_chat_gateway import __main__ as program
from tests.support.processes import run_to_end
from wire.version import VERSION


def test_it_prints_its_version() -> None:
    ended = run_to_end("bing_chat_gateway", "--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{VERSION}\n", "")


def test_a_checkout_calls_it_by_the_name_that_works_there() -> None:
    assert run_to_end("bing_chat_gateway", "--help").stdout.startswith("Usage: python -m bing_chat_gateway [OPTIONS]")


def test_the_packages_in_the_wheel_come_before_others_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_INSTALLED", tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["bing-chat-gateway", "--version"])
    with pytest.raises(SystemExit, match="0"):
        program.main()
    assert sys.path[0] == str(tmp_path)
