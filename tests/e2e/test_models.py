"""Models of servers by name, over real sockets: from accounts.toml to what a server was asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import Deployment, at_model_servers, wait_until

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Deployment]:
    """A whole system with two accounts at the emulator; the second has a model of its own, and can't call tools."""
    with at_model_servers(tmp_path, ("first", "second")) as running:
        write_models(running, '[aliases]\nfast = ["stand-in-mini", "stand-in"]\n')
        wait_until(lambda: "fast" in names(running), "the table is known")
        yield running


def write_models(servers: Deployment, more: str) -> None:
    """Give the second account another model, and append to the file."""
    file = servers.cookies / "accounts.toml"
    head, _, second = file.read_text().partition("[accounts.second]")
    second = second.partition("[aliases]")[0].replace('"stand-in"', '"stand-in-mini"')
    second = second.replace("tools = false\n", "").rstrip()
    file.write_text(f"{head}[accounts.second]{second}\ntools = false\n{more}")


def names(servers: Deployment) -> set[str]:
    return {model["id"] for model in httpx.get(f"{servers.url}/v1/models", timeout=30).json()["data"]}


def ask(servers: Deployment, model: str, question: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": question}], **more}
    return httpx.post(f"{servers.url}/v1/chat/completions", json=body, timeout=30)


def asked(servers: Deployment, question: str) -> list[tuple[str, str]]:
    return [(turn["account"], turn["model"]) for turn in servers.turns(question)]


def test_a_server_is_asked_for_the_model_that_the_request_names(servers: Deployment) -> None:
    for model, real in [("stand-in", "stand-in"), ("openai/stand-in-mini", "stand-in-mini"), ("fast", "stand-in-mini")]:
        answer = ask(servers, model, f"hello to {model}")
        assert (answer.status_code, answer.json()["model"]) == (200, real)
        (turn,) = asked(servers, f"hello to {model}")
        assert turn[1] == real


def test_the_next_model_of_a_chain_answers_when_the_first_refuses(servers: Deployment) -> None:
    busy = ask(servers, "stand-in-mini", "!http-503=30 hello")
    assert busy.status_code == 503
    answer = ask(servers, "fast", "hello again")
    assert (answer.status_code, answer.json()["model"]) == (200, "stand-in")


def test_what_a_model_can_not_do_is_refused_and_others_of_the_chain_do_it(servers: Deployment) -> None:
    refused = ask(servers, "stand-in-mini", "weather", tools=TOOLS)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")
    assert asked(servers, "weather") == []
    answer = ask(servers, "fast", "hello with tools", tools=TOOLS)
    assert (answer.status_code, answer.json()["model"]) == (200, "stand-in")


def test_a_model_that_its_server_refuses_takes_no_other_model_out(servers: Deployment) -> None:
    write_more = '[aliases]\nfast = ["stand-in-mini", "stand-in"]\n'
    file = servers.cookies / "accounts.toml"
    file.write_text(file.read_text().replace(write_more, "") + 'models = ["stand-in-gone"]\n')
    wait_until(lambda: "stand-in-gone" in names(servers), "the further model is known")
    refused = ask(servers, "stand-in-gone", "!model-not-found hello")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model.none")
    answer = ask(servers, "stand-in-mini", "hello afterwards")
    assert (answer.status_code, answer.json()["model"]) == (200, "stand-in-mini")


def test_an_unknown_model_is_404_with_the_nearest_names(servers: Deployment) -> None:
    refused = ask(servers, "stand-in-minni", "hello")
    assert refused.status_code == 404
    assert "stand-in-mini" in refused.json()["error"]["message"]


def test_a_change_of_the_file_is_followed_without_a_restart(servers: Deployment) -> None:
    write_models(servers, '[aliases]\nslow = "stand-in"\n')
    wait_until(lambda: "slow" in names(servers), "the new alias is known")
    assert "fast" not in names(servers)
    assert ask(servers, "slow", "hello to slow").json()["model"] == "stand-in"
    assert ask(servers, "fast", "hello to fast").status_code == 404
