"""A request that a proxy passes on to another gateway: one question, and one answer."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ATTEMPT = {"x-attempt-id": "0123456789abcdef0123456789abcdef"}
LISTENING = {"accept": "text/event-stream"}
ASK = {"style": "balanced", "question": "hi"}
SAID = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True)
class Pair:
    """Two gateways with one worker, which believe a proxy on this machine."""

    gateways: tuple[RunningGateway, RunningGateway]

    @property
    def questions(self) -> int:
        return len(self.gateways[0].worker.asked)

    async def both(self, method: str, path: str, headers: Any = ATTEMPT, **fields: Any) -> list[httpx.Response]:
        """Return the responses to the same request at either of them, one after the other."""
        return [await one.client.request(method, path, headers=headers, **fields) for one in self.gateways]


@asynccontextmanager
async def paired(store: Store, trusted: str = "127.0.0.1") -> AsyncIterator[Pair]:
    config = settings(trusted_proxies=trusted)
    async with running(store, config) as first, running(store, config, worker=False) as second:
        yield Pair((first, second))


@pytest.fixture
async def pair(store: Store) -> AsyncIterator[Pair]:
    async with paired(store) as paired_gateways:
        yield paired_gateways


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/api", {"params": ASK}),
        ("POST", "/api", {"json": ASK}),
        ("GET", "/api_stream", {"params": ASK}),
        ("GET", "/api_stream", {"params": ASK, "headers": ATTEMPT | LISTENING}),
        ("POST", "/v1/chat/completions", {"json": SAID}),
        ("POST", "/v1/chat/completions", {"json": SAID | {"stream": True}, "headers": ATTEMPT | LISTENING}),
        ("POST", "/v1/responses", {"json": {"model": "bing-balanced", "input": "hi"}}),
    ],
)
async def test_an_attempt_that_is_passed_on_is_one_question_and_one_answer(
    pair: Pair, method: str, path: str, fields: dict[str, Any]
) -> None:
    first, second = await pair.both(method, path, **fields)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["x-answer-id"] == second.headers["x-answer-id"]
    assert second.content == first.content
    assert pair.questions == 1


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/image", {"params": {"keyword": "cat"}}),
        ("POST", "/v1/images/generations", {"json": {"prompt": "cat"}}),
    ],
)
async def test_pictures_are_drawn_once_for_an_attempt(
    pair: Pair, method: str, path: str, fields: dict[str, Any]
) -> None:
    pair.gateways[0].worker.scripts["cat"] = [Final("", images=("https://example.org/cat.jpg",))]
    first, second = await pair.both(method, path, **fields)
    assert (first.status_code, second.content) == (200, first.content)
    assert pair.questions == 1


async def test_an_answer_that_runs_is_followed_from_its_beginning(pair: Pair) -> None:
    first, second = pair.gateways
    with closing_gate() as gate:
        first.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
        asking = asyncio.create_task(first.client.get("/api_stream", params=ASK, headers=ATTEMPT))
        await until(lambda: bool(first.worker.asked), "the question is asked")
        again = asyncio.create_task(second.client.get("/api_stream", params=ASK, headers=ATTEMPT))
        await until(lambda: bool(second.active_requests.running), "it is asked at the other gateway")
        gate.set()
        assert (await again).content == (await asking).content
    assert pair.questions == 1


async def test_an_attempt_is_no_idempotency_key(pair: Pair, store: Store) -> None:
    """The question can be cancelled while nobody follows it, and nothing of the attempt stays longer than a minute."""
    response = await pair.gateways[0].client.get("/api", params=ASK, headers=ATTEMPT)
    job = await redis_client(store).hgetall(keys.job_key(response.headers["x-answer-id"]))
    assert b"followed_until" in job
    assert b"idem" not in job
    (name,) = [name async for name in redis_client(store).scan_iter(match=keys.attempt_key("*"))]
    assert 0 < await redis_client(store).ttl(name) <= 60


@pytest.mark.parametrize("sent", ["short", "x" * 200, "has a blank in it, which no id has"])
async def test_what_is_no_id_is_not_believed(pair: Pair, sent: str) -> None:
    await pair.both("GET", "/api", params=ASK, headers={"x-attempt-id": sent})
    assert pair.questions == 2


async def test_who_is_no_trusted_proxy_is_not_believed(store: Store) -> None:
    async with paired(store, "10.0.0.0/8") as pair:
        await pair.both("GET", "/api", params=ASK)
        assert pair.questions == 2


async def test_the_same_id_of_two_clients_is_two_questions(pair: Pair) -> None:
    for gateway, address in zip(pair.gateways, ("192.0.2.1", "192.0.2.2"), strict=True):
        await gateway.client.get("/api", params=ASK, headers=ATTEMPT | {"x-forwarded-for": address})
    assert pair.questions == 2


async def test_a_conversation_continues_whichever_gateway_answered(pair: Pair) -> None:
    first, second = await pair.both("GET", "/api", params=ASK)
    (token,) = {json.loads(one.content)["data"]["token"] for one in (first, second)}
    assert re.fullmatch(r"[0-9a-f-]{36}", token)
    again = {"x-attempt-id": "f" * 32}
    await pair.both("GET", "/api", params=ASK | {"token": token}, headers=again)
    assert [used for used, _ in pair.gateways[0].worker.asked] == [token, token]
