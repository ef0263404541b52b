"""Whole workers before the stand-in, as a server of the OpenAI API: what a conversation is across turns."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.worker.harness import Client, HookedStore, pool_on, settings_with
from tests.support.worker.running_worker import drained
from wire.jobs import Jobs, new_token
from wire.messages import Chat, Failed, Final, HistoryMessage, Image
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.providers.registry import ProviderRegistry, Upstream
from worker.status import status_reporter
from worker.worker import Worker, new_worker_id

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def worker(
    store: HookedStore, bing: Emulator, accounts: Sequence[Account], **changed: object
) -> AsyncIterator[Worker]:
    """Run a worker with these accounts, and drain it at the end."""
    urls = {"bing_create_url": bing.create_url, "bing_chat_url": bing.chat_url, "bing_image_url": bing.url}
    settings = settings_with(**{"drain_timeout": 3.0, **urls, **changed})
    pool = pool_on(store, settings, accounts, worker=new_worker_id())
    served = Worker(settings, store, Upstream(settings, pool, ProviderRegistry(settings)), status_reporter)
    async with drained(served):
        yield served


def local(bing: Emulator, name: str) -> Account:
    return ServerAccount(name, bing.openai_url, "stand-in", name, "stand-in-pictures")


def order(bing: Emulator, account: str, outcome: str) -> None:
    """Set how the emulator answers the account's next question."""
    bing.run_script(f'{{"account": "{account}", "chat": {{"outcome": "{outcome}"}}}}'.encode())


async def final(client: Client, question: str, token: str) -> Final:
    end = await client.end(await client.ask(question, token))
    assert isinstance(end, Final), end
    return end


async def test_a_conversation_continues_at_another_worker(store: HookedStore, client: Client, bing: Emulator) -> None:
    token, texts = new_token(), []
    async with worker(store, bing, [local(bing, "x")]):
        texts += [(await final(client, question, token)).text for question in ("one", "two")]
    async with worker(store, bing, [local(bing, "x")]):
        end = await final(client, "three", token)
    assert (end.reset, end.provider) == (False, "openai")
    third = bing.ledger.turns[2]
    assert third.context == f"user: one\nassistant: {texts[0]}\nuser: two\nassistant: {texts[1]}"
    assert len({turn.conversation for turn in bing.ledger.turns}) == 1


async def test_a_throttled_account_sends_its_conversation_to_the_next(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    token = new_token()
    async with worker(store, bing, [local(bing, "x"), local(bing, "y")]):
        first = await final(client, "one", token)
        spent = bing.ledger.turns[0].account
        order(bing, spent, "throttled=9")
        second = await final(client, "two", token)
    assert second.reset is False
    assert [turn.account == spent for turn in bing.ledger.turns] == [True, True, False]
    assert bing.ledger.turns[2].context == f"user: one\nassistant: {first.text}"


async def test_a_conversation_that_became_too_long_begins_afresh_and_says_so(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    token = new_token()
    async with worker(store, bing, [local(bing, "x")]):
        await final(client, "one", token)
        order(bing, "x", "context-length")
        second = await final(client, "two", token)
        third = await final(client, "three", token)
    assert (second.reset, third.reset) == (True, False)
    contexts = [turn.context for turn in bing.ledger.turns]
    assert contexts[2:] == ["", f"user: two\nassistant: {second.text}"]


async def test_a_question_that_alone_is_too_long_is_one_failure(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    async with worker(store, bing, [local(bing, "x"), local(bing, "y")]):
        end = await client.end(await client.ask("one !context-length"))
    assert isinstance(end, Failed)
    assert end.reason == "session.toolong"
    assert len(bing.ledger.turns) == 1


async def test_when_bing_fails_the_next_kind_gets_the_history(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    token, accounts = new_token(), [CookieAccount("alice", {"_U": "alice"}), local(bing, "x")]
    async with worker(store, bing, accounts, provider="edgegpt,openai"):
        first = await final(client, "one", token)
        order(bing, "alice", "throttled")
        second = await final(client, "two", token)
    assert (first.provider, second.provider, second.reset) == ("edgegpt", "openai", False)
    last = bing.ledger.turns[-1]
    assert (last.api, last.context) == ("openai", f"user: one\nassistant: {first.text}")


async def test_the_history_that_a_client_sends_is_used(store: HookedStore, client: Client, bing: Emulator) -> None:
    earlier = (HistoryMessage("user", "a"), HistoryMessage("assistant", "b"), HistoryMessage("tool", "c"))
    async with worker(store, bing, [local(bing, "x")]):
        await client.end(
            await client.submit(Chat("balanced", "q", instructions="Be kind.", history=earlier), new_token())
        )
    (turn,) = bing.ledger.turns
    assert (turn.context, turn.question) == ("system: Be kind.\nuser: a\nassistant: b\nuser: c", "q")


async def test_pictures_come_from_the_same_server(store: HookedStore, client: Client, bing: Emulator) -> None:
    async with worker(store, bing, [local(bing, "x")]):
        end = await client.end(await client.submit(Image("a river"), new_token()))
    assert isinstance(end, Final)
    assert (len(end.images), end.provider) == (1, "openai")


@pytest.mark.parametrize("outcome", ["reset-mid", "error-mid"])
async def test_after_an_error_the_conversation_continues_with_the_text_so_far(
    store: HookedStore, client: Client, bing: Emulator, outcome: str
) -> None:
    token = new_token()
    async with worker(store, bing, [local(bing, "x")]):
        first = await final(client, "one", token)
        order(bing, "x", outcome)
        broken = await client.end(await client.ask("two", token))
        assert isinstance(broken, Failed)
        assert (broken.reset, bool(broken.text)) == (False, True)
        third = await final(client, "three", token)
    assert third.reset is False
    known = f"user: one\nassistant: {first.text}\nuser: two\nassistant: {broken.text}"
    assert bing.ledger.turns[-1].context == known


async def test_after_an_error_without_text_the_conversation_is_as_it_was(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    token = new_token()
    async with worker(store, bing, [local(bing, "x")]):
        first = await final(client, "one", token)
        order(bing, "x", "empty")
        broken = await client.end(await client.ask("two", token))
        assert isinstance(broken, Failed)
        assert (broken.reset, broken.text) == (False, "")
        third = await final(client, "three", token)
    assert third.reset is False
    assert bing.ledger.turns[-1].context == f"user: one\nassistant: {first.text}"


async def test_after_a_stop_the_conversation_continues_with_the_text_so_far(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    token = new_token()
    async with worker(store, bing, [local(bing, "x")]):
        answer = await client.ask("one !silence-mid", token)
        await until(lambda: client.so_far(answer), "there is text")
        await Jobs(client.store, client.limits).stop(answer)
        stopped = await client.end(answer)
        assert isinstance(stopped, Final)
        assert (stopped.stopped, stopped.reset, bool(stopped.text)) == (True, False, True)
        second = await final(client, "two", token)
    assert second.reset is False
    assert bing.ledger.turns[-1].context == f"user: one !silence-mid\nassistant: {stopped.text}"


async def test_bings_conversation_is_reset_by_a_stop_and_by_an_error(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    token = new_token()
    async with worker(store, bing, [CookieAccount("alice", {"_U": "alice"})]):
        await final(client, "one", token)
        order(bing, "alice", "close-mid")
        broken = await client.end(await client.ask("two", token))
        assert isinstance(broken, Failed)
        assert broken.reset is True
        await final(client, "three", token)
    assert bing.ledger.turns[0].conversation != bing.ledger.turns[-1].conversation


async def test_where_the_account_wants_it_the_server_gets_the_system_first(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    earlier = (HistoryMessage("user", "a"), HistoryMessage("system", "in French"), HistoryMessage("assistant", "b"))
    server = ServerAccount("x", bing.openai_url, "stand-in", "x", system="first")
    async with worker(store, bing, [server]):
        await client.end(
            await client.submit(Chat("balanced", "q", instructions="Be kind.", history=earlier), new_token())
        )
    (turn,) = bing.ledger.turns
    assert turn.context == "system: Be kind.\n\nin French\nuser: a\nassistant: b"
