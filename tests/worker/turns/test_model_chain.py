"""The accounts that may answer a prompt, by its model and what it needs."""

import asyncio
from typing import Any

import pytest

from tests.support.worker.harness import ACCOUNTS, HookedStore, pool_on, settings_with
from wire.ledger import AccountRecord, AccountStatus, Ledger
from wire.messages import Prompted
from wire.model_table import Offer
from wire.prompt import Message, Picture, Prompt, Text, Tool
from worker.accounts.account import Account, ServerAccount
from worker.accounts.config import Aliases
from worker.accounts.pool import AccountPool
from worker.errors import UpstreamError
from worker.turns.model_chain import find_entries

pytestmark = pytest.mark.anyio

TOOLS = {"tools": (Tool("function", "f"),)}


def server(name: str, *models: str, able: set[Any] | None = None, lists: bool = False) -> ServerAccount:
    abilities = frozenset({"tools", "json"} if able is None else able)
    return ServerAccount(
        name, f"http://{name}/v1", models[0], further_models=models[1:], abilities=abilities, lists_models=lists
    )


async def pool_with(store: HookedStore, *accounts: Account, aliases: Aliases | None = None) -> AccountPool:
    pool = pool_on(store, settings_with(), accounts)
    await pool.replace(accounts, aliases)
    return pool


def asking(model: str, *parts: Picture | Text, **more: Any) -> Prompted:
    message = Message("user", parts or (Text("hello"),))
    return Prompted("precise", "hello", prompt=Prompt("chat", model, (message,), **more))


async def entries(pool: AccountPool, work: Prompted) -> list[tuple[str, list[str]]]:
    found = await find_entries(pool, work, asyncio.get_running_loop().time())
    return [(entry.model, entry.names) for entry in found]


async def refusal(pool: AccountPool, work: Prompted) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        await entries(pool, work)
    return raised.value


async def test_the_accounts_of_each_model_of_a_chain_are_found(store: HookedStore) -> None:
    aliases = Aliases({"fast": ("n", "gone", "m")})
    pool = await pool_with(store, server("s", "m", "n"), server("t", "m"), *ACCOUNTS, aliases=aliases)
    assert await entries(pool, asking("m")) == [("m", ["s", "t"])]
    assert await entries(pool, asking("fast")) == [("n", ["s"]), ("m", ["s", "t"])]
    assert await entries(pool, asking("openai/m:latest")) == [("m", ["s", "t"])]


async def test_an_account_that_lacks_what_is_needed_is_not_asked(store: HookedStore) -> None:
    pool = await pool_with(store, server("s", "m", able={"json"}), server("t", "m"), *ACCOUNTS)
    assert await entries(pool, asking("m", **TOOLS)) == [("m", ["t"])]
    assert await entries(pool, asking("bing-creative", **TOOLS)) == [("bing-creative", ["t"])]
    assert await entries(pool, asking("bing-creative")) == [("bing-creative", ["s", "t", "a", "b"])]


async def test_a_prompt_without_a_model_is_answered_in_its_style(store: HookedStore) -> None:
    assert await entries(await pool_with(store, *ACCOUNTS), asking("")) == [("bing-precise", ["a", "b"])]


async def test_what_nobody_can_do_is_the_requests_fault_and_named(store: HookedStore) -> None:
    pool = await pool_with(store, server("s", "m", able=set()), *ACCOUNTS)
    error = await refusal(pool, asking("m", Picture("https://a/1.png"), options={"logprobs": True}))
    assert (error.reason, error.refused, error.retry_after) == ("model.unable", True, None)
    assert error.words == "The model can't take: logprobs, messages."


async def test_what_only_other_workers_have_is_worth_another_try(store: HookedStore) -> None:
    pool = await pool_with(store, server("a", "m", able=set()))
    record = AccountRecord("far", "print", offer=Offer(("m", "n"), abilities=("tools",)))
    await Ledger(store).announce(record, AccountStatus("far"), "elsewhere")
    for work in (asking("n"), asking("m", **TOOLS), asking("unknown")):
        error = await refusal(pool, work)
        assert (error.reason, error.retry_after is not None) == ("model.none", True)


async def test_an_alias_that_was_just_added_elsewhere_is_found(store: HookedStore) -> None:
    pool = await pool_with(store, server("a", "m"))
    assert await entries(pool, asking("m")) == [("m", ["a"])]
    pool.models._clock = lambda clock=pool.models._clock: clock() + 0.5  # type: ignore[misc]
    await pool.replace([server("a", "m")], Aliases({"new": ("m",)}))
    assert await entries(pool, asking("new")) == [("m", ["a"])]


async def test_the_models_that_a_server_lists_are_its_accounts(store: HookedStore) -> None:
    pool = await pool_with(store, server("a", "m", lists=True), server("b", "m"))
    await Ledger(store).keep_listed("a", ["n"], 60.0)
    assert await entries(pool, asking("n")) == [("n", ["a"])]
