"""The app of `transformers serve`, with a stand-in for the model, as the only account: clients get what it says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.external.foreign_server import Ours, joined, ours, running
from tests.support.processes import ROOT, free_port, wait_until

pytestmark = pytest.mark.external

SCRIPT = ROOT / "tests/support/external/transformers_server.py"
NAME, CONTEXT = "stand-in", 2000
QUESTION = "Where does the river end? ночь 水 😀"


@dataclass(frozen=True)
class Transformers:
    """The server, and where it writes its log."""

    url: str
    log: Path

    def say(self, *texts: str) -> str:
        """Its answer to a conversation of questions and answers by turns."""
        roles = ["user", "assistant"] * len(texts)
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        reply = httpx.post(f"{self.url}/v1/chat/completions", json={"model": NAME, "messages": messages}, timeout=60)
        text: str = reply.json()["choices"][0]["message"]["content"]
        return text


@pytest.fixture(scope="module")
def server(transformers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformers]:
    port, log = free_port(), tmp_path_factory.mktemp("transformers") / "log.txt"
    url = f"http://127.0.0.1:{port}"
    with running([transformers, str(SCRIPT), str(port)], log, f"{url}/health", HF_HUB_OFFLINE="1"):
        yield Transformers(url, log)


@contextmanager
def before(server: Transformers, folder: Path, redis_url: str, model: str = NAME) -> Iterator[Ours]:
    with ours(folder, redis_url, f"{server.url}/v1", model, "none") as deployed:
        yield deployed


def test_all_endpoints_relay_the_very_text(server: Transformers, valkey_url: str, tmp_path: Path) -> None:
    with before(server, tmp_path, valkey_url) as deployed:
        reply = server.say(QUESTION)
        assert QUESTION in reply
        assert deployed.ask(QUESTION)["data"]["answer"] == reply
        assert joined(deployed.events(QUESTION)) == reply
        assert joined(deployed.frames(QUESTION)) == reply
        assert deployed.completions(QUESTION) == (reply, reply)
        assert deployed.account()["state"] == "ready"


def test_the_next_turn_takes_along_what_was_said(server: Transformers, valkey_url: str, tmp_path: Path) -> None:
    with before(server, tmp_path, valkey_url) as deployed:
        first = deployed.ask("Where is the river?")["data"]
        second = deployed.ask("And the stone?", first["token"])["data"]
        assert second["answer"] == server.say("Where is the river?", first["answer"], "And the stone?")
        assert (second["token"], second["reset"]) == (first["token"], False)


def test_stop_reaches_the_model(server: Transformers, valkey_url: str, tmp_path: Path) -> None:
    with before(server, tmp_path, valkey_url) as deployed:
        assert deployed.stopped("!slow " + "river " * 200)[-1]["data"]["done"]
        wait_until(lambda: "stopped early by _GenerationCancelled" in server.log.read_text(), "the model stops")


@pytest.mark.parametrize("question", ["!no-memory", "river" * (CONTEXT + 1)], ids=["no-memory", "too-long"])
def test_a_model_that_fails_is_one_clear_error(
    server: Transformers, valkey_url: str, tmp_path: Path, question: str
) -> None:
    with before(server, tmp_path, valkey_url) as deployed:
        assert deployed.ask(question) == {"code": 500, "message": "上游内部错误"}
        refused = deployed.completion(question)
        assert (refused.status_code, refused.json()["error"]["type"]) == (500, "server_error")
        assert deployed.account()["failures"] == {}
        assert deployed.ask("Hello")["code"] == 200


def test_a_model_that_breaks_off_is_an_error_after_its_text(
    server: Transformers, valkey_url: str, tmp_path: Path
) -> None:
    with before(server, tmp_path, valkey_url) as deployed:
        *frames, end = deployed.events("!breaks in the middle of what it says")
        assert "".join(frame["data"]["answer"] for frame in frames) == server.say("!breaks in the middle of")[:20]
        assert end == {"code": 500, "message": "上游内部错误"}


def test_another_model_than_its_own_is_the_accounts_fault(
    server: Transformers, valkey_url: str, tmp_path: Path
) -> None:
    with before(server, tmp_path, valkey_url, "another") as deployed:
        assert deployed.ask("Hello") == {"code": 503, "message": "没有可用的上游账号"}
        standing = deployed.account()
        assert (standing["state"], standing["reason"]) == ("dead", "account.refused")
