"""A whole worker: its start, its background tasks, and draining."""

import asyncio
import json
from unittest import mock

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import SOON, until
from tests.support.redis_client import redis_client
from tests.support.tcp_proxy import TcpProxy
from tests.support.worker.harness import (
    Away,
    Client,
    Held,
    HookedStore,
    pool_on,
    settings_with,
)
from tests.support.worker.running_worker import at_rest, serving
from tests.support.worker.scripted_provider import Gate, Only, Pictures, ScriptedProvider, connecting
from wire import keys
from wire.answers import Answers
from wire.errors import StoreUnavailableError
from wire.jobs import new_token
from wire.messages import Delta, Failed, Final
from wire.sessions import Sessions
from wire.terminal_events import INTERRUPTED
from worker.providers.registry import Upstream
from worker.status import status_reporter
from worker.worker import Worker

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


# Draining


async def test_a_draining_worker_ends_its_turn_and_takes_no_other(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    first_provider, two = ScriptedProvider(play=gate), ScriptedProvider()
    async with serving(client.store, first_provider) as first:
        answer, waiting = await client.ask("one", token), await client.ask("two", token)
        await until(lambda: gate.waiting == ["one"])
        first.drain()
        fresh = await client.ask("fresh")
        gate.open("one")
        assert await client.text(answer) == "you asked: one"
    assert first_provider.questions == ["one"]
    async with serving(client.store, two):
        assert await client.text(waiting) == "you asked: two"
        assert await client.text(fresh) == "you asked: fresh"
    assert [(arrival.state, arrival.sent) for arrival in two.arrived if arrival.question == "two"] == [
        (b"conversation 1", 1)
    ]
    await at_rest(client)


async def test_a_drained_worker_gives_its_idle_tokens_back(client: Client) -> None:
    token, two = new_token(), ScriptedProvider()
    async with serving(client.store, ScriptedProvider()):
        await client.text(await client.ask("one", token))
    assert await client.owner(token) is None
    await at_rest(client)
    async with serving(client.store, two):
        assert await client.end(await client.ask("two", token)) == Final("you asked: two", reset=False)
    assert two.arrived[0].sent == 1


async def test_a_token_whose_turn_ends_as_draining_begins_is_given_back(client: Client) -> None:
    token = new_token()
    async with serving(client.store, ScriptedProvider()) as served:

        async def drain() -> None:
            served.drain()

        client.store.after["finish"] = drain
        await client.text(await client.ask("one", token))
    assert await client.owner(token) is None
    await at_rest(client)


async def test_what_was_not_sent_goes_to_another_worker_when_draining_takes_too_long(client: Client) -> None:
    first_provider, two = ScriptedProvider(play=connecting), ScriptedProvider()
    async with serving(client.store, first_provider, drain_timeout=0.1):
        answer = await client.ask("one")
        await until(lambda: len(first_provider.asks) == 1)
    assert await client.state(answer) == "QUEUED"
    assert first_provider.hung_up == 1
    async with serving(client.store, two):
        assert await client.text(answer) == "you asked: one"
    assert (first_provider.questions, two.questions) == ([], ["one"])
    await at_rest(client)


async def test_what_was_sent_is_interrupted_when_draining_takes_too_long(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    first_provider, two = ScriptedProvider(play=gate), ScriptedProvider()
    async with serving(client.store, first_provider, drain_timeout=0.1):
        answer, waiting = await client.ask("one", token), await client.ask("two", token)
        await until(lambda: gate.waiting == ["one"])
        await until(lambda: "append" in client.store.calls)
    assert await client.end(answer) == Failed("interrupted", "you asked: ")
    async with serving(client.store, two):
        assert await client.text(waiting) == "you asked: two"
    assert two.asks[0].conversation is None
    await at_rest(client)


async def test_a_question_that_was_being_marked_when_draining_took_too_long_has_an_end(client: Client) -> None:
    held, provider = Held(), ScriptedProvider()
    client.store.after["mark_sent"] = held
    async with serving(client.store, provider, drain_timeout=0.1):
        answer = await client.ask("one")
        await held.waiting.wait()
    assert await client.end(answer) == INTERRUPTED
    assert provider.questions == []
    await at_rest(client)


async def test_draining_ends_also_while_redis_is_away(client: Client) -> None:
    gate = Gate("one", "two", "three")
    async with serving(client.store, ScriptedProvider(play=gate), drain_timeout=0.1, grace=0.2) as served:
        for question in ("one", "two", "three"):
            await client.ask(question)
        await until(lambda: len(gate.waiting) == 3)
        client.store.before.update(append=Away(), finish=Away(), release=Away())
        gate.open("one")
        with mock.patch.object(Sessions, "leave", side_effect=StoreUnavailableError("away")):
            began = asyncio.get_running_loop().time()
            served.drain()
            await until(lambda: not served.slots_used)
            assert asyncio.get_running_loop().time() - began < 5


async def test_a_worker_that_cannot_sign_off_ends_all_the_same(client: Client) -> None:
    with capture_logs() as logs, mock.patch.object(Sessions, "leave", side_effect=StoreUnavailableError("away")):
        async with serving(client.store, ScriptedProvider()):
            token = new_token()
            await client.text(await client.ask("one", token))
            client.store.before["release"] = Away()
    assert [line["event"] for line in logs][-2:] == [
        "could not sign off, the lease will expire",
        "worker stopped",
    ]


async def test_a_worker_that_is_drained_before_it_began_ends(client: Client) -> None:
    client.store.before["beat"] = Away()
    async with serving(client.store, ScriptedProvider()) as served:
        served.drain()


# Redis away


@pytest.mark.parametrize("store_url", ["valkey"], indirect=True)
async def test_a_redis_that_was_emptied_is_used_again(client: Client) -> None:
    async with serving(client.store, ScriptedProvider()):
        await client.text(await client.ask("one"))
        await redis_client(client.store).flushall()
        assert await client.text(await client.ask("two")) == "you asked: two"


async def test_a_redis_that_is_away_at_the_start_is_waited_for(proxy: TcpProxy, valkey_url: str) -> None:
    await proxy.cut(refuse=True)
    far, near = HookedStore(proxy.url), HookedStore(valkey_url)
    with capture_logs() as logs:
        async with Answers(near) as answers, serving(far, ScriptedProvider()):
            answer = await Client(near, answers).ask("one")
            await until(lambda: any(line["event"].startswith("redis is away") for line in logs))
            assert await Sessions(near).list_live_workers() == []
            proxy.heal()
            assert await Client(near, answers).text(answer) == "you asked: one"
    events = [line["event"] for line in logs]
    assert events.count("redis is away, trying again") == 1
    assert events.count("redis is back") == 1
    await far.close()
    await near.close()


async def test_a_turn_outlives_a_redis_that_is_away_for_a_while(proxy: TcpProxy, valkey_url: str) -> None:
    far, near = HookedStore(proxy.url), HookedStore(valkey_url)
    gate, token = Gate("one"), new_token()
    provider = ScriptedProvider(play=gate)
    async with Answers(near) as answers, serving(far, provider) as served:
        client = Client(near, answers)
        first_answer = await client.ask("one", token)
        await until(lambda: gate.waiting == ["one"])
        await until(lambda: far.calls.count("append") == 1)
        await proxy.cut(refuse=True)
        two, beats = await client.ask("two", token), far.tried["beat"]
        gate.open("one")
        await until(lambda: far.tried["record"] >= 2 and far.tried["beat"] >= beats + 2)
        assert await client.so_far(first_answer) == [Delta("you asked: ")]
        proxy.heal()
        assert [await client.text(first_answer), await client.text(two)] == ["you asked: one", "you asked: two"]
        assert await client.owner(token) == served.id
    assert [(arrival.question, arrival.state) for arrival in provider.arrived] == [
        ("one", b"conversation 1"),
        ("two", b"conversation 1"),
    ]
    await far.close()
    await near.close()


async def test_a_background_task_that_dies_takes_the_worker_down(store: HookedStore) -> None:
    async def die() -> None:
        raise RuntimeError("no more")

    store.before["beat"] = die
    settings = settings_with()
    upstream = Upstream(settings, pool_on(store, settings), Only(ScriptedProvider(), Pictures()))
    served = Worker(settings, store, upstream, status_reporter)
    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(SOON):
            await served.run()


async def test_what_is_saved_holds_no_cookies(client: Client) -> None:
    token = new_token()
    async with serving(client.store, ScriptedProvider()):
        await client.text(await client.ask("one", token))
        saved = await redis_client(client.store).hget(keys.token_key(token), "session")
    assert isinstance(saved, bytes)
    assert json.loads(saved).keys() == {"account", "state"}
