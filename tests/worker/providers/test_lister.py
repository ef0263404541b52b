"""Servers are asked for all their models by one worker."""

import asyncio
from dataclasses import replace

import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.worker import openai_server
from tests.support.worker.harness import Away, HookedStore, pool_on, settings_with
from tests.support.worker.openai_server import OpenAIServer
from wire.ledger import Ledger
from worker.accounts.account import CookieAccount
from worker.accounts.pool import AccountPool
from worker.providers.lister import ModelLister
from worker.providers.registry import ProviderRegistry

pytestmark = pytest.mark.anyio

MODELS = openai_server.refusing(200, {"data": [{"id": "n"}, {"id": "org/o"}]})


def lister(
    store: HookedStore, server: OpenAIServer, worker: str, *, lists: bool = True, every: float = 2.0
) -> tuple[ModelLister, AccountPool]:
    settings = settings_with()
    account = replace(server.account("x"), lists_models=lists)
    pool = pool_on(store, settings, [account, CookieAccount("c", {"_U": "c"})], worker)
    return ModelLister(pool, ProviderRegistry(settings), Ledger(store), every=every), pool


async def test_a_server_is_asked_once_and_its_models_are_in_the_table(store: HookedStore) -> None:
    async with OpenAIServer(MODELS) as server:
        for worker in ("one", "two"):
            models, pool = lister(store, server, worker)
            await pool.announce()
            await models.list_all()
        assert len(server.asked) == 1
    table = await Ledger(store).read_models()
    assert [table.find(name) for name in ("n", "o", "m")] == [
        ("n",), ("org/o",), ("m",)
    ]  # fmt: skip


async def test_a_server_of_named_models_is_not_asked(store: HookedStore) -> None:
    async with OpenAIServer(MODELS) as server:
        models, pool = lister(store, server, "one", lists=False)
        await pool.announce()
        await models.list_all()
        assert server.asked == []


async def test_a_server_that_refuses_keeps_the_models_that_it_had(store: HookedStore) -> None:
    await Ledger(store).keep_listed("x", ["before"], 0.001)
    await redis_client(store).delete("bing:{accounts}:listing:x")
    async with OpenAIServer(openai_server.refusing(500)) as server:
        models, pool = lister(store, server, "one")
        await pool.announce()
        await models.list_all()
        assert len(server.asked) == 1
    assert (await Ledger(store).read_models()).find("before") == ("before",)


async def test_redis_that_is_away_only_delays_the_list(store: HookedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    away, claim = Away(2), Ledger.claim_listing

    async def claim_later(ledger: Ledger, name: str, worker: str) -> bool:
        await away()
        return await claim(ledger, name, worker)

    monkeypatch.setattr(Ledger, "claim_listing", claim_later)
    async with OpenAIServer(MODELS) as server:
        models, pool = lister(store, server, "one", every=0.01)
        await pool.announce()
        running = asyncio.create_task(models.run())
        await until(lambda: running.done() or server.asked)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert away.met == 2
