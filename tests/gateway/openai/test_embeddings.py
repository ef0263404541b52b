"""/v1/embeddings over real connections, and its requests."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from gateway.openai.embeddings import MAX_BODY, MAX_INPUTS, parse_embedding
from gateway.openai.errors import InvalidRequestError
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.messages import Call, Failed, Final
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.result_store import MAX_RESULT

pytestmark = pytest.mark.anyio

PATH = "/v1/embeddings"
KEY = {"Idempotency-Key": "0123456789abcdef"}
RESULT = b'{"object": "list", "data": [{"embedding": [0.5, 1.50]}], "model": "real-1", "usage": {"prompt_tokens": 1}}'
END = Final("", provider="openai", model="embed")


def body(**rest: Any) -> dict[str, Any]:
    return {"model": "embed", "input": "hi", **rest}


@pytest.fixture
async def gateway(gateway: RunningGateway) -> RunningGateway:
    """One whose worker has a model for embeddings, another one, and an alias."""
    await able(gateway)
    return gateway


async def able(gateway: RunningGateway) -> None:
    aliases = {"vectors": ("embed",)}
    await gateway.announce("a", "embed", calls=("embeddings",), aliases=aliases)
    await gateway.announce("b", "chat", aliases=aliases)
    gateway.worker.results |= {"embed": RESULT, "vectors": RESULT}
    gateway.worker.scripts |= {"embed": [END], "vectors": [END]}


def asked(gateway: RunningGateway) -> list[Call]:
    return [work for _, work in gateway.worker.asked if isinstance(work, Call)]


async def test_the_result_is_what_the_server_sent_byte_for_byte(gateway: RunningGateway) -> None:
    response = await gateway.client.post(PATH, json=body(dimensions=2, user="u", metadata={"a": "b"}, truncate=1.5))
    assert (response.status_code, response.content) == (200, RESULT)
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["x-provider"], response.headers["x-answer-id"][:3]) == ("openai", "s0-")
    (work,) = asked(gateway)
    assert (work.operation, work.model) == ("embeddings", "embed")
    assert json.loads(bytes(work.body)) == {"model": "embed", "input": "hi", "dimensions": 2, "truncate": 1.5}


@pytest.mark.parametrize(("name", "job"), [("vectors", "vectors"), ("openai/embed", "openai/embed")])
async def test_a_model_is_found_by_its_other_names(gateway: RunningGateway, name: str, job: str) -> None:
    gateway.worker.results[job], gateway.worker.scripts[job] = RESULT, [END]
    assert (await gateway.client.post(PATH, json=body(model=name))).content == RESULT
    assert [work.model for work in asked(gateway)] == [job]


async def test_nothing_of_a_call_is_left_and_nobody_finds_it_by_its_id(gateway: RunningGateway) -> None:
    answer = (await gateway.client.post(PATH, json=body())).headers["x-answer-id"]
    assert await redis_client(gateway.store).exists(keys.result_key(answer)) == 0
    for method, path in [
        ("GET", f"/answers/{answer}"),
        ("DELETE", f"/answers/{answer}"),
        ("GET", f"/answers/{answer}/stream"),
        ("GET", f"/v1/responses/resp_{answer}"),
        ("POST", f"/v1/responses/resp_{answer}/cancel"),
    ]:
        assert (await gateway.client.request(method, path)).status_code == 404, path


async def test_it_is_never_published(gateway: RunningGateway) -> None:
    pubsub = redis_client(gateway.store).pubsub()
    await pubsub.psubscribe("*answer:*")
    await gateway.client.post(PATH, json=body())
    messages = []
    while message := await pubsub.get_message(timeout=0.2):
        messages.append(message["data"])
    await pubsub.aclose()  # type: ignore[no-untyped-call]
    assert len(messages) > 1
    assert not any(b"embedding" in message for message in messages if isinstance(message, bytes))


async def test_the_same_request_again_makes_one_call_at_any_gateway(store: Store) -> None:
    async with running(store) as first, running(store, worker=False) as second:
        await able(first)
        sent = [await gateway.client.post(PATH, json=body(), headers=KEY) for gateway in (first, second)]
        # Its fields in another order are the same request.
        sent.append(await second.client.post(PATH, json=dict(reversed(body().items())), headers=KEY))
        assert [response.content for response in sent] == [RESULT] * 3
        assert len({response.headers["x-answer-id"] for response in sent}) == 1
        assert len(asked(first)) == 1
        assert (await second.client.post(PATH, json=body(input="ho"), headers=KEY)).status_code == 422
        await redis_client(store).delete(keys.result_key(sent[0].headers["x-answer-id"]))
        spent = await second.client.post(PATH, json=body(), headers=KEY)
        assert (spent.status_code, spent.json()["error"]["code"]) == (404, "key.spent")


async def test_a_request_that_a_proxy_passes_on_is_the_same_call(store: Store) -> None:
    trusted, attempt = settings(trusted_proxies="127.0.0.1"), {"X-Attempt-ID": "a" * 32}
    async with running(store, trusted) as first, running(store, trusted, worker=False) as second:
        await able(first)
        with closing_gate() as gate:
            first.worker.scripts["embed"] = [gate, END]
            sent = [
                asyncio.create_task(gateway.client.post(PATH, json=body(), headers=attempt))
                for gateway in (first, second)
            ]
            await until(lambda: asked(first))
            await asyncio.wait(sent, timeout=0.1)
        statuses = sorted(response.status_code for response in await asyncio.gather(*sent))
        assert statuses[0] == 200
        assert len(asked(first)) == 1


async def test_a_failure_is_an_error_of_the_api(gateway: RunningGateway) -> None:
    for reason, status, param in [("result.toolarge", 400, "input"), ("result.full", 500, None)]:
        gateway.worker.scripts["embed"] = [Failed(reason)]
        response = await gateway.client.post(PATH, json=body())
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (status, reason, param)
    gateway.worker.scripts["embed"] = [Failed("model.unable", detail="No.")]
    assert (await gateway.client.post(PATH, json=body())).json()["error"]["message"] == "No."


async def test_a_result_that_is_lost_is_an_error_and_not_asked_for_again(gateway: RunningGateway) -> None:
    gateway.worker.results.clear()
    response = await gateway.client.post(PATH, json=body())
    assert (response.status_code, response.json()["error"]["code"]) == (500, "state.lost")
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("model", ["bing-balanced", "chat"])
async def test_a_model_without_embeddings_is_refused_by_name(gateway: RunningGateway, model: str) -> None:
    response = await gateway.client.post(PATH, json=body(model=model))
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, "model", "unsupported_value")
    assert error["message"] == f"Embeddings are not supported by the model '{model}'."
    assert asked(gateway) == []


async def test_a_model_that_is_away_or_unknown_is_not_asked(gateway: RunningGateway) -> None:
    await gateway.announce("c", "away", calls=("embeddings",))
    await gateway.lose_account("c")
    await gateway.announce("d", "away")
    for model, status, code in [("away", 503, "model.away"), ("unknown", 404, "model_not_found")]:
        response = await gateway.client.post(PATH, json=body(model=model))
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert asked(gateway) == []


@pytest.mark.parametrize("model", ["embed", "chat"])
async def test_while_workers_are_updated_a_call_is_refused_for_now(gateway: RunningGateway, model: str) -> None:
    load = ProcessLoad("0.2.0", apart=True)
    await Reporter(gateway.store, "worker", "old", lambda: load, dict, lambda: False).report()
    response = await gateway.client.post(PATH, json=body(model=model))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "worker.outdated")
    assert "retry-after" in response.headers
    assert asked(gateway) == []


async def test_a_key_may_ask_for_its_models_only(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"alice {hashlib.sha256(b'secret').hexdigest()} models=chat\n")
    async with running(store, settings(api_keys_file=file)) as gateway:
        await able(gateway)
        headers = {"authorization": "Bearer secret"}
        assert (await gateway.client.post(PATH, json=body(), headers=headers)).status_code == 404
        assert (await gateway.client.post(PATH, json=body())).status_code == 401


async def test_a_body_above_4_mib_is_refused_and_one_below_is_a_call(gateway: RunningGateway) -> None:
    room = MAX_BODY - len(json.dumps(body(input="")))
    assert (await gateway.client.post(PATH, json=body(input="x" * room))).status_code == 200
    assert len(bytes(asked(gateway)[0].body)) > MAX_BODY - 10
    refused = await gateway.client.post(PATH, json=body(input="x" * (room + 1)))
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")


async def test_the_largest_result_arrives_whole(gateway: RunningGateway) -> None:
    gateway.worker.results["embed"] = largest = b'{"data": "%s"}' % (b"x" * (MAX_RESULT - 12))
    assert (await gateway.client.post(PATH, json=body())).content == largest


@pytest.mark.parametrize(
    "given", ["a", "", ["a"], ["a", ""], [1], [0, 2**31 - 1], [[1, 2], [3]], ["a"] * MAX_INPUTS, [1] * (MAX_INPUTS + 1)]
)
def test_inputs_of_all_forms_are_taken(given: object) -> None:
    assert parse_embedding(body(input=given, encoding_format="base64")) == body(input=given, encoding_format="base64")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": None}, "input", "invalid_type"),
        ({"input": 1}, "input", "invalid_type"),
        ({"input": {}}, "input", "invalid_type"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [[]]}, "input", "invalid_type"),
        ({"input": ["a", 1]}, "input", "invalid_type"),
        ({"input": [True]}, "input", "invalid_type"),
        ({"input": [-1]}, "input", "invalid_type"),
        ({"input": [2**31]}, "input", "invalid_type"),
        ({"input": [1.5]}, "input", "invalid_type"),
        ({"input": [["a"]]}, "input", "invalid_type"),
        ({"input": [[1], 2]}, "input", "invalid_type"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input", "invalid_value"),
        ({"input": [[1]] * (MAX_INPUTS + 1)}, "input", "invalid_value"),
        ({"encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"encoding_format": 1}, "encoding_format", "invalid_type"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"dimensions": "3"}, "dimensions", "invalid_type"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_embedding(body() | fields)
    assert (caught.value.fault.status, caught.value.fault.param, caught.value.fault.code) == (400, param, code)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (msgspec.json.encode({"input": "a"}), 400),
        (b'{"model": "embed", "input": "\\ud800"}', 200),
    ],
)
async def test_bodies_that_are_odd_are_refused_or_made_good(gateway: RunningGateway, sent: bytes, status: int) -> None:
    response: httpx.Response = await gateway.client.post(PATH, content=sent)
    assert response.status_code == status, response.text


async def test_another_method_makes_no_call(gateway: RunningGateway) -> None:
    assert (await gateway.client.options(PATH)).status_code == 204
    assert (await gateway.client.get(PATH)).status_code == 405
