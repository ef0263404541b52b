"""Idempotency-Keys over real connections: the same answer again, and never a second question."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway.harness import RunningGateway, closing_gate, frames_of, running, settings
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.messages import Chat, Delta, Failed, Final, Image
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]

KEY = "0123456789abcdef"
# Seconds that nothing here takes.
SOON = 20.0
HEADER = {"Idempotency-Key": KEY}
ASK = {"style": "balanced", "question": "hi"}
PATHS = ["/api", "/api_stream", "/image"]


def fields(path: str, text: str = "hi") -> dict[str, str]:
    return {"keyword": text} if path == "/image" else {"style": "balanced", "question": text}


@asynccontextmanager
async def two(store: Store, **changes: object) -> AsyncIterator[tuple[RunningGateway, httpx.AsyncClient]]:
    """Two gateways on one Redis; of the second one only a client."""
    config = settings(**changes)
    async with running(store, config) as first, running(store, config, worker=False) as second:
        yield first, second.client


@pytest.mark.parametrize("path", PATHS)
async def test_the_same_request_again_gets_the_same_bytes_at_any_gateway(store: Store, path: str) -> None:
    async with two(store) as (gateway, other):
        responses = [
            await gateway.client.get(path, params=fields(path), headers=HEADER),
            await other.get(path, params=fields(path), headers=HEADER),
            await other.post(path, data=fields(path), headers=HEADER),
            await gateway.client.get(path, params=fields(path) | {"idempotency_key": KEY}),
            await other.post(path, json=fields(path), params={"idempotency_key": KEY}),
        ]
        assert [response.status_code for response in responses] == [200] * 5
        assert len({response.content for response in responses}) == 1
        assert len({response.headers["x-answer-id"] for response in responses}) == 1
        assert len(gateway.worker.asked) == 1


async def test_a_repeat_joins_a_running_stream_from_its_beginning(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), Delta("b"), gate, Final("ab")]
        async with gateway.client.stream("GET", "/api_stream", params=ASK, headers=HEADER) as first:
            chunks = first.aiter_bytes()
            begun = await anext(chunks)
            again = asyncio.create_task(gateway.client.get("/api_stream", params=ASK, headers=HEADER))
            gate.set()
            whole = begun + b"".join([chunk async for chunk in chunks])
        assert (await again).content == whole
    token = frames_of(whole)[-1]["data"]["token"]
    assert uuid.UUID(token).version == 4
    assert {frame["data"]["token"] for frame in frames_of(whole)} == {token}
    assert len(gateway.worker.asked) == 1


async def test_an_event_source_gets_the_same_ids_again(gateway: RunningGateway) -> None:
    events = HEADER | {"accept": "text/event-stream"}
    first, again = [await gateway.client.get("/api_stream", params=ASK, headers=events) for _ in range(2)]
    assert first.content == again.content
    assert f"id: {first.headers['x-answer-id']}.0".encode() in first.content


@pytest.mark.parametrize("path", PATHS)
async def test_another_question_under_the_key_is_refused(gateway: RunningGateway, path: str) -> None:
    await gateway.client.get(path, params=fields(path), headers=HEADER)
    for changed in [fields(path, "ho")] + ([ASK | {"style": "precise"}] if path != "/image" else []):
        refused = await gateway.client.get(path, params=changed, headers=HEADER)
        assert refused.status_code == 422
        assert refused.json() == {"code": 422, "message": "Idempotency-Key 已用于另一个问题"}
        assert "x-answer-id" not in refused.headers
    english = HEADER | {"accept-language": "en"}
    response = await gateway.client.get(path, params=fields(path, "ho"), headers=english)
    assert response.json()["message"] == "Idempotency-Key was used for another question"
    assert len(gateway.worker.asked) == 1


async def test_a_key_counts_for_an_endpoint_and_a_token(gateway: RunningGateway) -> None:
    api = (await gateway.client.get("/api", params=ASK, headers=HEADER)).json()["data"]["token"]
    stream = await gateway.client.get("/api_stream", params=ASK, headers=HEADER)
    continued = [await gateway.client.get("/api", params=ASK | {"token": api}, headers=HEADER) for _ in range(2)]
    await gateway.client.get("/image", params={"keyword": "hi"}, headers=HEADER)
    assert frames_of(stream.content)[-1]["data"]["token"] != api
    assert continued[0].headers["x-answer-id"] == continued[1].headers["x-answer-id"]
    assert continued[0].json()["data"]["token"] == api
    kinds = [type(work) for _, work in gateway.worker.asked]
    assert kinds == [Chat, Chat, Chat, Image]


async def test_a_repeat_whose_answer_is_gone_is_a_404_and_no_new_question(gateway: RunningGateway) -> None:
    answer = (await gateway.client.get("/api", params=ASK, headers=HEADER)).headers["x-answer-id"]
    await redis_client(gateway.store).delete(keys.job_key(answer), keys.log_key(answer))
    for path in ["/api"] * 2:
        gone = await gateway.client.get(path, params=ASK, headers=HEADER)
        assert (gone.status_code, gone.json()) == (404, {"code": 404, "message": "未找到文件"})
    assert len(gateway.worker.asked) == 1


async def test_a_question_that_waited_in_vain_may_be_asked_again(store: Store) -> None:
    async with running(store, settings(queue_timeout=0.1), worker=False) as gateway:
        first = await gateway.client.get("/api", params=ASK, headers=HEADER)
        assert (first.status_code, first.json()["code"]) == (503, 503)
    async with running(store) as gateway:
        second = await gateway.client.get("/api", params=ASK, headers=HEADER)
        assert second.json()["code"] == 200
        assert second.headers["x-answer-id"] != first.headers["x-answer-id"]
        assert len(gateway.worker.asked) == 1


async def test_a_failure_of_what_was_asked_is_reported_again(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("a"), Failed("interrupted", text="a")]
    first, again = [await gateway.client.get("/api", params=ASK, headers=HEADER) for _ in range(2)]
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.status_code == 500
    assert len(gateway.worker.asked) == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["x", "0123456789abcde", "x" * 256])
async def test_a_key_must_be_long_enough_not_to_be_hit_by_chance(gateway: RunningGateway, path: str, key: str) -> None:
    for changes in ({"headers": {"Idempotency-Key": key}}, {"params": fields(path) | {"idempotency_key": key}}):
        refused = await gateway.client.get(path, **{"params": fields(path), **changes})  # type: ignore[arg-type]
        assert refused.status_code == 422
        assert refused.json() == {"code": 422, "message": "Idempotency-Key 须有 16 至 255 个字符"}
    response = await gateway.client.get(
        path, params=fields(path), headers={"Idempotency-Key": key, "accept-language": "en"}
    )
    assert response.json()["message"] == "Idempotency-Key must have 16 to 255 characters"
    assert gateway.worker.asked == []


async def test_an_empty_key_is_none(gateway: RunningGateway) -> None:
    for _ in range(2):
        await gateway.client.get("/api", params=ASK | {"idempotency_key": ""}, headers={"Idempotency-Key": ""})
    assert len(gateway.worker.asked) == 2


async def test_nothing_of_the_key_is_kept_in_the_open(gateway: RunningGateway) -> None:
    await gateway.client.get("/api", params=ASK, headers=HEADER)
    commands: Any = redis_client(gateway.store)
    names = [key.decode() for key in await commands.keys("*")]
    assert not any(KEY in key for key in names)
    (name,) = [key for key in names if ":idem:" in key]
    assert 0 < await commands.ttl(name) <= 24 * 3600


async def test_the_token_can_not_be_derived_from_the_key_alone(store: Store, tmp_path: Path) -> None:
    tokens = []
    for secret in ("a" * 32, "a" * 32, "b" * 32):
        (tmp_path / "secret").write_text(secret)
        await redis_client(store).flushall()
        await Scenario(store).settle()
        async with running(store, settings(secret_file=tmp_path / "secret")) as gateway:
            tokens.append((await gateway.client.get("/api", params=ASK, headers=HEADER)).json()["data"]["token"])
    assert tokens[0] == tokens[1] != tokens[2]


async def test_a_draining_gateway_hands_nothing_over(gateway: RunningGateway) -> None:
    # As long as a turn runs, it answers.
    async with gateway.active_requests.track(SOON):
        gateway.active_requests.drain()
        response = await gateway.client.get("/api_stream", params=ASK, headers=HEADER)
        assert json.loads(response.content)["code"] == 503
    assert await redis_client(gateway.store).exists(keys.queued_key()) == 0
    assert not [key for key in await redis_client(gateway.store).keys("*") if b"idem" in key]


async def test_parallel_repeats_are_one_question(store: Store) -> None:
    async with two(store) as (gateway, other):
        responses = await asyncio.gather(
            *[
                client.get("/api_stream", params=ASK, headers=HEADER)
                for _ in range(25)
                for client in (gateway.client, other)
            ]
        )
        assert {response.status_code for response in responses} == {200}
        assert len({response.content for response in responses}) == 1
        assert len(gateway.worker.asked) == 1
