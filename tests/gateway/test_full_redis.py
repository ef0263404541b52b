"""One client can't fill Redis: the others are served, what was accepted ends, and the memory comes back."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.errors import ClientBytesError
from wire.jobs import Client, new_answer_id, new_token
from wire.messages import Chat, Delta, Final, HistoryMessage, Prompted
from wire.prompt import Message, Picture, Prompt, Text
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024
MEMORY = 64 * MIB


@pytest.fixture
async def small(store: Store) -> AsyncIterator[Store]:
    """A Redis with little memory."""
    await redis_client(store).config_set("maxmemory", str(MEMORY))
    yield store
    await redis_client(store).config_set("maxmemory", "0")


async def used(store: Store) -> int:
    info: Any = await redis_client(store).info("memory")
    return int(info["used_memory"])


def ask(gateway: RunningGateway, address: str, question: str, **headers: str) -> "asyncio.Task[httpx.Response]":
    body = {"style": "balanced", "question": question}
    sent = gateway.client.post("/api", json=body, headers={"X-Forwarded-For": address, **headers}, timeout=30)
    return asyncio.create_task(sent)


async def test_large_requests_of_one_client_shut_nobody_out_and_their_memory_comes_back(small: Store) -> None:
    limits = settings(trusted_proxies="127.0.0.1", max_message=2 * MIB, question_limit=MIB, answer_ttl=1)
    async with running(small, limits) as gateway:
        gate, large = asyncio.Event(), "x" * MIB
        gateway.worker.scripts[large] = [gate, Final("done")]
        before = await used(small)
        attack = [ask(gateway, "192.0.2.1", large) for _ in range(85)]
        await until(lambda: sum(asked.done() for asked in attack) >= 65)
        refused = [asked.result() for asked in attack if asked.done()]
        assert {response.status_code for response in refused} == {429}
        assert all(1 <= int(response.headers["retry-after"]) <= 60 for response in refused)
        assert await used(small) < 0.6 * MEMORY
        for number in range(10):
            assert (await ask(gateway, f"192.0.2.{number + 10}", "hi")).status_code == 200
        ready = (await gateway.client.get("/readyz")).json()
        assert (ready["ready"], ready["degraded"]) == (True, False)
        gate.set()
        assert {response.status_code for response in await asyncio.gather(*attack)} == {200, 429}

        async def is_back() -> bool:
            await asyncio.sleep(0.1)
            await ask(gateway, "192.0.2.99", "hi")
            works = await redis_client(small).keys(keys.work_key("*"))
            return not works and await used(small) < before + MEMORY // 10

        await until(is_back)


@pytest.mark.parametrize(("answer", "is_refused"), [("y" * 60_000, True), ("y", False)], ids=["at once", "slowly"])
async def test_many_conversations_of_one_client_fill_redis_neither_at_once_nor_slowly(
    small: Store, answer: str, is_refused: bool
) -> None:
    scenario = Scenario(small, lease_ttl=3600.0)
    await scenario.hire("w1")
    refused = 0
    for _ in range(600):
        try:
            await scenario.ask(client=Client("attacker"))
        except ClientBytesError:
            refused += 1
            continue
        exchange = (HistoryMessage("user", "x" * 60_000),)
        await scenario.finish(await scenario.sent("w1"), answer, exchange=exchange, begins=True)
    assert bool(refused) == is_refused
    assert await used(small) < 0.6 * MEMORY
    await scenario.ask(client=Client("somebody"))
    assert int(await scenario.redis.hget(keys.bytes_key(), "transcripts")) <= MEMORY // 8


async def test_while_redis_is_full_repeats_are_answered_and_what_runs_ends(small: Store) -> None:
    async with running(small, settings(trusted_proxies="127.0.0.1")) as gateway:
        gate, key = asyncio.Event(), {"Idempotency-Key": "0123456789abcdef"}
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        first = await ask(gateway, "192.0.2.1", "hi", **key)
        slow = ask(gateway, "192.0.2.2", "slow")
        await until(
            lambda: any(work == Chat("balanced", "slow", request=work.request) for _, work in gateway.worker.asked)
        )
        await redis_client(small).config_set("maxmemory", "1")
        refused = await ask(gateway, "192.0.2.3", "hi")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        again = await ask(gateway, "192.0.2.1", "hi", **key)
        assert (again.status_code, again.json()) == (200, first.json())
        assert (await gateway.client.get("/readyz")).status_code == 200
        gate.set()
        assert (await slow).json()["data"]["answer"] == "ab"


async def test_the_memory_of_questions_with_large_pictures_is_back_when_they_have_ended(store: Store) -> None:
    size = 5 * MIB * 4 // 3
    await redis_client(store).config_set("maxmemory", str(512 * MIB))
    scenario = Scenario(store)
    await scenario.hire("w1")
    before = await used(store)
    picture = Picture("data:image/png;base64," + "A" * size)
    work = Prompted("balanced", "", prompt=Prompt("chat", "m", (Message("user", (Text("What is it?"), picture)),)))
    for number in range(30):
        await scenario.jobs.submit(new_answer_id(), work, new_token(), create=True, client=Client(f"c{number}"))
    assert await used(store) > before + 30 * size
    tasks = await scenario.take_all("w1")
    assert len(tasks) == 30
    for task in tasks:
        assert isinstance(task.work, Prompted)
        assert task.work.prompt == work.prompt
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
        await scenario.finish(task)

    async def is_back() -> bool:
        return await used(store) < before + 3 * size

    try:
        await until(is_back, "a tenth of the pictures' memory is left at most")
    finally:
        await redis_client(store).config_set("maxmemory", "0")


async def ask_until_accepted(gateway: RunningGateway, address: str, body: str) -> httpx.Response:
    """Ask, and repeat what a slow machine had no room for in time, as an SDK does; the server is announced again."""
    headers = {"X-Forwarded-For": address, "Content-Type": "application/json"}
    while True:
        await gateway.announce("gpu", "seer", abilities=["pictures"])
        response = await gateway.client.post("/v1/chat/completions", content=body, headers=headers, timeout=240)
        if response.status_code not in (408, 503):
            return response


async def test_thirty_questions_with_large_pictures_are_answered_and_leave_nothing(store: Store) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(5 * MIB)
    picture = "data:image/png;base64," + base64.b64encode(png).decode()
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": picture}}]
    body = json.dumps({"model": "seer", "messages": [{"role": "user", "content": content}]})
    await redis_client(store).config_set("maxmemory", str(512 * MIB))
    try:
        async with running(store, settings(trusted_proxies="127.0.0.1", answer_ttl=1)) as gateway:
            gate, before = asyncio.Event(), await used(store)
            gateway.worker.scripts["What is it?\n\n[picture]"] = [gate, Final("a cat")]
            asked = [
                asyncio.create_task(ask_until_accepted(gateway, f"192.0.2.{number}", body)) for number in range(30)
            ]
            await until(lambda: len(gateway.worker.asked) == len(asked), "all are asked", limit=180)
            # Less than one of them is what the server needs for itself.
            assert await used(store) > before + 29 * len(picture)
            gate.set()
            answers = await asyncio.gather(*asked)
            assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == ["a cat"] * 30
            for _, work in gateway.worker.asked:
                assert isinstance(work, Prompted)
                assert [part.url for part in work.prompt.messages[0].parts if isinstance(part, Picture)] == [picture]

            async def is_back() -> bool:
                return await used(store) < before + 3 * len(picture)

            await until(is_back, "a tenth of the pictures' memory is left at most")
    finally:
        await redis_client(store).config_set("maxmemory", "0")
