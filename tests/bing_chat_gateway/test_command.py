"""The subcommands."""

import re
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bing_chat_gateway.command import app
from tests.support.processes import answers, free_port, process, run_to_end, wait_until


def test_the_help_lists_each_command_with_its_whole_meaning() -> None:
    text = CliRunner().invoke(app, ["--help"], prog_name="bing-chat-gateway").output
    commands = re.findall(r"^  (\w+) +\S.*\.$", text.partition("Commands:")[2], re.MULTILINE)
    assert commands == ["serve", "gateway", "worker", "emulator", "check", "forget", "accounts", "keys"]
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize("arguments", [[], ["keys"], ["accounts"]], ids=str)
def test_a_command_that_lacks_the_next_shows_its_help(arguments: list[str]) -> None:
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 2
    assert "Commands:" in ended.output


def test_gateway_worker_and_emulator_answer_together(tmp_path: Path, valkey_url: str) -> None:
    port, upstream, log = free_port(), free_port(), tmp_path / "log.txt"
    (tmp_path / "cookies").mkdir()
    own = {
        "REDIS_URL": valkey_url,
        "COOKIES_DIR": str(tmp_path / "cookies"),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_MODEL": "stand-in",
    }
    with (
        process("bing_chat_gateway emulator", log, EMULATOR_PORT=str(upstream), EMULATOR_PACE="0"),
        process("bing_chat_gateway gateway", log, REDIS_URL=valkey_url, GATEWAY_PORT=str(port)),
        process("bing_chat_gateway worker", log, **own),
    ):
        wait_until(lambda: answers(f"http://127.0.0.1:{upstream}/_health"), "the emulator serves")
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), "gateway and worker are ready")
        question = {"style": "balanced", "question": "hello"}
        assert httpx.get(f"http://127.0.0.1:{port}/api", params=question, timeout=20).json()["code"] == 200
        assert run_to_end("bing_chat_gateway", "check", **own).returncode == 0
        assert "openai" in run_to_end("bing_chat_gateway", "accounts", "list", **own).stdout
        assert run_to_end("bing_chat_gateway", "forget", "no-such-token", **own).returncode == 0


def test_a_check_fails_where_no_worker_is_alive(valkey_url: str) -> None:
    assert run_to_end("bing_chat_gateway", "check", REDIS_URL=valkey_url).returncode == 1


def test_a_taken_port_ends_the_gateway_with_the_settings_name(tmp_path: Path, valkey_url: str) -> None:
    port = free_port()
    with process("bing_chat_gateway gateway", tmp_path / "log.txt", REDIS_URL=valkey_url, GATEWAY_PORT=str(port)):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "the first one serves")
        second = run_to_end("bing_chat_gateway", "gateway", REDIS_URL=valkey_url, GATEWAY_PORT=str(port))
    assert second.returncode == 1
    assert f"Can't listen on 127.0.0.1:{port}: Address already in use. GATEWAY_PORT sets the port." in second.stderr
