"""Calls through a whole worker: which account is asked, how often, and what that means for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.worker import openai_server
from tests.support.worker.harness import ACCOUNTS, Client, HookedStore, pool_on, settings_with
from tests.support.worker.openai_server import OpenAIServer, Play
from tests.support.worker.running_worker import at_rest, drained
from wire import keys
from wire.jobs import Jobs, new_token
from wire.ledger import Ledger
from wire.messages import Call, Failed, Final, Prompted
from wire.prompt import Message, Prompt, Text
from wire.result_store import ResultStore
from worker.accounts.account import Account
from worker.accounts.config import Aliases
from worker.providers.registry import ProviderRegistry, Upstream
from worker.status import status_reporter
from worker.worker import Worker, new_worker_id

pytestmark = pytest.mark.anyio

REPLY = {"data": [{"embedding": [0.5]}], "model": "real", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
MAKING: Play = openai_server.refusing(200, REPLY)
LACKING: Play = openai_server.refusing(404, {"detail": "Not Found"})


@asynccontextmanager
async def working(
    store: HookedStore, *accounts: Account, aliases: Aliases | None = None, **changed: Any
) -> AsyncIterator[Worker]:
    """Run a worker with these accounts and the providers of the table."""
    settings = settings_with(**{"drain_timeout": 3.0, **changed})
    pool = pool_on(store, settings, accounts, new_worker_id())
    await pool.replace(accounts, aliases)
    worker = Worker(settings, store, Upstream(settings, pool, ProviderRegistry(settings)), status_reporter)
    async with drained(worker):
        yield worker


async def submit(client: Client, model: str = "m") -> str:
    return await client.submit(Call("embeddings", model, msgspec.Raw(b'{"input":"hi","model":"x"}')), new_token())


async def failed(client: Client, answer: str) -> Failed:
    end = await client.end(answer)
    assert isinstance(end, Failed), end
    return end


async def states(store: HookedStore) -> dict[str, tuple[str, str]]:
    return {status.name: (status.display_state, status.reason) for status in await Ledger(store).read_statuses()}


def models(*servers: OpenAIServer) -> list[str]:
    return [request.json["model"] for server in servers for request in server.asked]


async def test_the_result_is_there_when_the_call_ends_and_its_event_says_no_more(client: Client) -> None:
    async with OpenAIServer(MAKING) as server, working(client.store, server.account()) as worker:
        answer = await submit(client)
        end = await client.end(answer)
        assert isinstance(end, Final)
        assert (end.text, end.blocks, end.model, end.provider) == ("", (), "m", "openai")
        assert json.loads(await ResultStore(client.store).read(answer)) == REPLY
        assert worker.token_tally.kinds == {("local", "m", "input"): 3}
        assert worker.turn_counts == {("openai", "done", ""): 1}
    assert [request.target for request in server.asked] == ["/v1/embeddings"]
    assert await redis_client(client.store).keys("*transcript*") == []
    await at_rest(client)


async def test_only_an_account_that_has_the_model_and_can_be_called_is_asked(client: Client) -> None:
    aliases = Aliases({"embed": ("gone", "e")})
    async with OpenAIServer(MAKING) as first, OpenAIServer(MAKING) as second:
        accounts = [*ACCOUNTS, first.account("first"), second.account("second", model="e")]
        async with working(client.store, *accounts, aliases=aliases):
            for name in ("embed", "e", "openai/e"):
                assert isinstance(await client.end(await submit(client, name)), Final)
            style = await failed(client, await submit(client, "bing-balanced"))
            assert (style.reason, style.detail) == ("model.unable", "The model can't make embeddings.")
            assert (await failed(client, await submit(client, "unknown"))).reason == "model.none"
    assert (models(first), models(second)) == ([], ["e"] * 3)


@pytest.mark.parametrize("play", [LACKING, openai_server.refusing(429, {"error": {}}, Retry_After="30")])
async def test_a_refusal_leads_to_another_account_of_the_model(client: Client, play: Play) -> None:
    async with (
        OpenAIServer(play) as first,
        OpenAIServer(MAKING) as second,
        working(client.store, first.account("first", weight=1000.0), second.account("second")),
    ):
        assert isinstance(await client.end(await submit(client)), Final)
    assert models(first, second) == ["m", "m"]


async def test_what_a_server_lacks_for_calls_says_nothing_against_its_answers(client: Client) -> None:
    plays: Sequence[Play] = (
        LACKING,
        openai_server.refusing(403, {"error": {"code": "missing_scope"}}),
        openai_server.refusing(400, {"error": {"message": "this model does not support embeddings"}}),
        openai_server.refusing(500, {"error": {"message": "no"}}),
    )
    async with OpenAIServer() as server, working(client.store, server.account()):
        for play in plays:
            server.play = play
            for _ in range(3):
                await failed(client, await submit(client))
        server.play = openai_server.answering(openai_server.whole("hello"))
        prompt = Prompt("chat", "m", (Message("user", (Text("hi"),)),))
        answer = await client.submit(Prompted("balanced", "", prompt=prompt), new_token())
        assert await client.text(answer) == "hello"
    assert (await states(client.store))["local"] == ("ready", "")


async def test_a_model_without_embeddings_is_a_request_that_is_at_fault(client: Client) -> None:
    async with OpenAIServer(LACKING) as server, working(client.store, server.account()):
        end = await failed(client, await submit(client))
    assert (end.reason, end.retry_after) == ("model.unable", None)
    assert end.detail == "The model's server makes no embeddings with it."


@pytest.mark.parametrize(
    "play",
    [
        openai_server.saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        openai_server.refusing(504),
        openai_server.refusing(200, {"data": []}),
    ],
)
async def test_a_call_that_was_sent_and_not_refused_is_never_sent_again(client: Client, play: Play) -> None:
    async with (
        OpenAIServer(play) as first,
        OpenAIServer(play) as second,
        working(client.store, first.account("first"), second.account("second")),
    ):
        end = await failed(client, await submit(client))
    assert end.retry_after is None
    assert len(first.asked) + len(second.asked) == 1


async def test_a_call_has_the_limit_of_an_answer(client: Client) -> None:
    silent = OpenAIServer(openai_server.stopping())
    async with silent as server, working(client.store, server.account(answer_timeout=2.0)):
        assert (await failed(client, await submit(client))).reason == "timeout.total"
        await until(server.left.is_set)


async def test_a_call_that_nobody_waits_for_hangs_up_at_the_server(client: Client) -> None:
    async with OpenAIServer(openai_server.stopping()) as server, working(client.store, server.account()):
        answer = await submit(client)
        await until(lambda: server.asked)
        assert await Jobs(client.store, client.limits).stop_abandoned(answer)
        async with asyncio.timeout(5):
            await server.left.wait()
    assert await client.state(answer) == "STOPPED"
    assert await redis_client(client.store).exists(keys.result_key(answer)) == 0


async def test_a_worker_that_drains_in_the_middle_ends_the_call_and_nobody_sends_it_again(client: Client) -> None:
    async with OpenAIServer(openai_server.stopping()) as server:
        async with working(client.store, server.account(), drain_timeout=0.1):
            answer = await submit(client)
            await until(lambda: server.asked)
        async with working(client.store, server.account()):
            assert (await failed(client, answer)).reason == "interrupted"
    assert len(server.asked) == 1
