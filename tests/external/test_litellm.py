"""LiteLLM's proxy as the only account: its mock answers, its refusals, and a server behind it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.external.conftest import LITELLM_LOCAL
from tests.support.external.foreign_server import Ours, joined, ours, running
from tests.support.processes import free_port, process, wait_until

pytestmark = pytest.mark.external

KEY = "sk-a-key-of-litellm"
MOCK = "A mock answer, long enough to come in pieces: один, два, 三, 😀."
REFUSALS = {
    "throttled": "litellm.RateLimitError",
    "broken": "litellm.InternalServerError",
    "too-long": "litellm.ContextWindowExceededError",
}


def config(emulator: str) -> dict[str, Any]:
    """Its models: mocks, and `relayed`, which our stand-in answers. JSON is YAML."""

    def model(name: str, **more: str) -> dict[str, Any]:
        return {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none", **more}}

    mocks = [model(name, mock_response=text) for name, text in {"mock": MOCK, **REFUSALS}.items()]
    relayed = model("relayed", model="openai/stand-in", api_base=f"{emulator}/v1", api_key="behind")
    return {
        "model_list": [*mocks, relayed],
        "general_settings": {"master_key": KEY},
        "router_settings": {"num_retries": 0},
    }


@dataclass(frozen=True)
class Proxy:
    """LiteLLM's proxy, and the stand-in behind its model `relayed`."""

    url: str
    emulator: str

    def turns(self, text: str) -> list[dict[str, Any]]:
        """What the stand-in was asked that contains `text`."""
        ledger = httpx.get(f"{self.emulator}/_ledger").json()
        return [turn for turn in ledger["turns"] if text in turn["question"]]

    def ended(self, text: str) -> dict[str, Any] | None:
        """The only such question, once it has ended."""
        (turn,) = self.turns(text)
        return turn if turn["ended"] else None


@pytest.fixture(scope="module")
def proxy(litellm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port, emulator_port = tmp_path_factory.mktemp("litellm"), free_port(), free_port()
    found = Proxy(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{emulator_port}")
    file, log = folder / "litellm.json", folder / "log.txt"
    file.write_text(json.dumps(config(found.emulator), ensure_ascii=False))
    start = [litellm, "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    with (
        process("emulator", log, EMULATOR_PORT=str(emulator_port), EMULATOR_PACE="0"),
        running(start, log, f"{found.url}/health/liveliness", **LITELLM_LOCAL),
    ):
        yield found


@contextmanager
def before(proxy: Proxy, folder: Path, redis_url: str, model: str, key: str = KEY) -> Iterator[Ours]:
    """Ours, before a model of the proxy's."""
    with ours(folder, redis_url, f"{proxy.url}/v1", model, key) as deployed:
        yield deployed


def test_all_endpoints_relay_the_mock_answer(proxy: Proxy, valkey_url: str, tmp_path: Path) -> None:
    with before(proxy, tmp_path, valkey_url, "mock") as deployed:
        assert joined(deployed.events("Hello")) == MOCK
        assert joined(deployed.frames("Hello")) == MOCK
        assert deployed.completions("Hello") == (MOCK, MOCK)
        first = deployed.ask("Hello")["data"]
        assert first["answer"] == MOCK
        second = deployed.ask("And then?", first["token"])["data"]
        assert (second["answer"], second["reset"]) == (MOCK, False)
        assert deployed.account()["state"] == "ready"


def test_a_server_behind_it_gets_the_history(proxy: Proxy, valkey_url: str, tmp_path: Path) -> None:
    with before(proxy, tmp_path, valkey_url, "relayed") as deployed:
        first = deployed.ask("first of two")["data"]
        second = deployed.ask("second of two", first["token"])["data"]
        turns = proxy.turns("of two")
        assert [turn["question"] for turn in turns] == ["first of two", "second of two"]
        assert turns[1]["context"] == f"user: first of two\nassistant: {first['answer']}"
        assert len({turn["conversation"] for turn in turns}) == 1
        assert [turn["text"] for turn in turns] == [first["answer"], second["answer"]]


def test_stop_reaches_the_server_behind_it(proxy: Proxy, valkey_url: str, tmp_path: Path) -> None:
    with before(proxy, tmp_path, valkey_url, "relayed") as deployed:
        frames = deployed.stopped("!deltas=5000 !rate=50 long")
        assert frames[-1]["data"]["done"]
        turn = wait_until(lambda: proxy.ended("long"), "the stand-in was hung up on")
        assert (turn["outcome"], turn["deltas"] < 1000) == ("client gone", True)


@pytest.mark.parametrize(
    ("model", "key", "code", "message", "state", "reason"),
    [
        ("throttled", KEY, 120, "已上限,20秒后尝试", "cooling", "account.throttled"),
        ("broken", KEY, 500, "上游内部错误", "ready", None),
        ("too-long", KEY, 500, "对话内容超过了上游的长度限制", "ready", None),
        ("no-such-model", KEY, 503, "没有可用的上游账号", "dead", "account.refused"),
        ("mock", "sk-wrong", 503, "没有可用的上游账号", "dead", "account.refused"),
    ],
    ids=["throttled", "broken", "too-long", "no-such-model", "wrong-key"],
)
def test_a_refusal_is_one_clear_error_and_counts_against_the_account(
    proxy: Proxy,
    valkey_url: str,
    tmp_path: Path,
    model: str,
    key: str,
    code: int,
    message: str,
    state: str,
    reason: str | None,
) -> None:
    with before(proxy, tmp_path, valkey_url, model, key) as deployed:
        assert deployed.ask("Hello") == {"code": code, "message": message}
        standing = deployed.account()
        assert (standing["state"], standing["failures"]) == (state, {reason: 1} if reason else {})
