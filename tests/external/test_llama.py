"""llama.cpp's server, with a tiny random model, as the only account: what it says is what clients get."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.external.foreign_server import Ours, joined, ours, running
from tests.support.processes import ROOT, free_port, wait_until

pytestmark = pytest.mark.external

SCRIPT = ROOT / "tests/support/external/llama_server.py"
KEY = "a-key-of-llama"
# At temperature 0 the model has one answer to a question.
SETTINGS = {"OPENAI_TEMPERATURE_PRECISE": "0"}
TOKENS, NO_END, CONTEXT = 60, -1, 16384


class Llama:
    """The server, asked directly."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {KEY}"}

    def say(self, *texts: str) -> str:
        """Its answer to a conversation of questions and answers by turns."""
        roles = ["user", "assistant"] * len(texts)
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        body = {"messages": messages, "temperature": 0}
        reply = httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=self._headers, timeout=60)
        text: str = reply.json()["choices"][0]["message"]["content"]
        return text

    def metrics(self, name: str) -> int:
        """One of its own counts."""
        page = httpx.get(f"{self.url}/metrics", headers=self._headers).text
        match = re.search(rf"^llamacpp:{name} (\d+)", page, re.MULTILINE)
        assert match, page
        return int(match[1])


@contextmanager
def serving(python: str, folder: Path, tokens: int = TOKENS) -> Iterator[Llama]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [python, str(SCRIPT), str(folder / "tiny.gguf"), str(port), KEY, str(tokens)]
    with running(command, folder / "llama.txt", f"{url}/health"):
        yield Llama(url)


@contextmanager
def before(server: Llama, folder: Path, redis_url: str, key: str = KEY) -> Iterator[Ours]:
    with ours(folder, redis_url, f"{server.url}/v1", "tiny", key, SETTINGS) as deployed:
        yield deployed


def test_all_endpoints_relay_the_very_text(llama: str, valkey_url: str, tmp_path: Path) -> None:
    with serving(llama, tmp_path) as server, before(server, tmp_path, valkey_url) as deployed:
        reply = server.say("Where is the river?")
        assert len(reply.split()) == TOKENS
        assert deployed.ask("Where is the river?")["data"]["answer"] == reply
        assert joined(deployed.events("Where is the river?")) == reply
        assert joined(deployed.frames("Where is the river?")) == reply
        assert deployed.completions("Where is the river?") == (reply, reply)
        assert deployed.account()["state"] == "ready"


def test_the_next_turn_takes_along_what_was_said(llama: str, valkey_url: str, tmp_path: Path) -> None:
    with serving(llama, tmp_path) as server, before(server, tmp_path, valkey_url) as deployed:
        first = deployed.ask("Where is the river?")["data"]
        second = deployed.ask("And the stone?", first["token"])["data"]
        assert second["answer"] == server.say("Where is the river?", first["answer"], "And the stone?")
        assert second["answer"] != server.say("And the stone?")
        assert (second["token"], second["reset"]) == (first["token"], False)


def test_stop_hangs_up(llama: str, valkey_url: str, tmp_path: Path) -> None:
    with serving(llama, tmp_path, NO_END) as server, before(server, tmp_path, valkey_url) as deployed:
        frames = deployed.stopped("Where does the river end?", lambda: server.metrics("requests_processing") == 1)
        assert frames[-1]["data"]["done"]
        wait_until(lambda: server.metrics("requests_processing") == 0, "the server is idle")
        assert server.metrics("tokens_predicted_total") < CONTEXT / 2


def test_a_wrong_key_is_one_clear_error_and_ends_the_account(llama: str, valkey_url: str, tmp_path: Path) -> None:
    with serving(llama, tmp_path) as server, before(server, tmp_path, valkey_url, key="wrong") as deployed:
        assert deployed.ask("Hello") == {"code": 503, "message": "没有可用的上游账号"}
        standing: dict[str, Any] = deployed.account()
        assert (standing["state"], standing["reason"]) == ("dead", "account.refused")
        assert server.metrics("prompt_tokens_total") == 0


def test_a_question_too_long_for_the_model_is_said_to_be(llama: str, valkey_url: str, tmp_path: Path) -> None:
    with serving(llama, tmp_path) as server, before(server, tmp_path, valkey_url) as deployed:
        reply = deployed.ask("river " * CONTEXT)
        assert reply == {"code": 500, "message": "对话内容超过了上游的长度限制"}
        assert deployed.account()["state"] == "ready"
        assert deployed.ask("Where is the river?")["code"] == 200
