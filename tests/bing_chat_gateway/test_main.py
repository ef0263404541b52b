"""The command as a program."""

import signal
import sys
from pathlib import Path

import pytest

from bing_chat_gateway import __main__ as program
from tests.support.processes import SERVE, interpreter, run_to_end, wait_until
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


@pytest.mark.parametrize("module", ["typer.models", "uvicorn.config"])
def test_ctrl_c_in_the_middle_of_imports_ends_it_without_a_traceback(tmp_path: Path, module: str) -> None:
    log = tmp_path / "log.txt"
    with interpreter(SERVE, log, PYTHONPROFILEIMPORTTIME="1", GATEWAY_PORT="0") as started:
        wait_until(lambda: f" {module}\n" in log.read_text(), "it imports")
        started.send_signal(signal.SIGINT)
        assert started.wait(20) in (-signal.SIGINT, 0)
    assert "Traceback" not in log.read_text()
