"""A stopped answer: the worker hangs up upstream within a second, and continues with the token's next question."""

import asyncio
from collections.abc import AsyncIterator
from unittest import mock

import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from tests.support.worker.harness import Client, Held
from tests.support.worker.running_dispatcher import NEVER
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import Ask, Pictures, ScriptedProvider, echo
from wire import keys
from wire.jobs import Jobs, new_token
from wire.messages import Delta, Final, Image
from worker.providers import ChatUpdate, Snapshot

pytestmark = pytest.mark.anyio

# Seconds within which a stop must have reached the upstream; with room for a slow machine.
WITHIN = 1.5


async def endless(ask: Ask) -> AsyncIterator[ChatUpdate]:
    """Send some text and then nothing more, unless the question is a short one."""
    if ask.question == "short":
        async for update in echo(ask):
            yield update
    await ask.send()
    yield Snapshot("once upon")
    await asyncio.Event().wait()


async def streaming(ask: Ask) -> AsyncIterator[ChatUpdate]:
    """Send text without end."""
    await ask.send()
    words = 0
    while True:
        words += 1
        yield Snapshot("word " * words)
        await asyncio.sleep(0.01)


async def connecting(ask: Ask) -> AsyncIterator[ChatUpdate]:
    """Never gets as far as sending, unless the question is a short one."""
    if ask.question == "short":
        async for update in echo(ask):
            yield update
    await asyncio.Event().wait()


async def stop(client: Client, answer: str) -> str:
    return await Jobs(client.store, client.limits).stop(answer)


async def hung_up_in_time(provider: ScriptedProvider) -> None:
    began = asyncio.get_running_loop().time()
    await until(lambda: provider.hung_up == 1)
    assert asyncio.get_running_loop().time() - began < WITHIN


async def test_a_silent_upstream_is_hung_up_on_within_a_second(client: Client) -> None:
    provider = ScriptedProvider(play=endless)
    async with serving(client.store, provider, lease_ttl=15.0):
        answer = await client.ask("tell me")
        await until(lambda: client.store.calls.count("append") == 1)
        assert await stop(client, answer) == "STOPPED"
        await hung_up_in_time(provider)
        assert await client.events(answer) == [Delta("once upon"), Final("once upon", reset=True, stopped=True)]


async def test_an_upstream_that_talks_is_hung_up_on_at_once(client: Client) -> None:
    provider = ScriptedProvider(play=streaming)
    async with serving(client.store, provider, lease_ttl=15.0):
        answer = await client.ask("tell me")
        await until(lambda: client.store.calls.count("append") >= 5)
        await stop(client, answer)
        await hung_up_in_time(provider)
        *deltas, last = await client.events(answer)
        text = "".join(delta.text for delta in deltas if isinstance(delta, Delta))
        assert last == Final(text, reset=True, stopped=True)


async def test_the_next_question_is_answered_in_a_fresh_conversation(client: Client) -> None:
    token, provider = new_token(), ScriptedProvider(play=endless)
    async with serving(client.store, provider):
        await client.text(await client.ask("short", token))
        answer, waiting = await client.ask("tell me", token), await client.ask("short", token)
        await until(lambda: len(provider.arrived) == 2)
        await stop(client, answer)
        assert await client.text(waiting) == "you asked: short"
    first, ended, following = provider.arrived
    assert first.state == ended.state != following.state
    assert following.sent == 0
    assert not provider.overlapped


async def test_what_was_stopped_before_it_was_sent_costs_no_conversation(client: Client) -> None:
    token, provider = new_token(), ScriptedProvider(play=connecting)
    async with serving(client.store, provider):
        await client.text(await client.ask("short", token))
        answer = await client.ask("tell me", token)
        await until(lambda: len(provider.asks) == 2)
        await stop(client, answer)
        await hung_up_in_time(provider)
        assert await client.text(await client.ask("short", token)) == "you asked: short"
    assert provider.questions == ["short", "short"]
    assert len({arrived.state for arrived in provider.arrived}) == 1
    assert [arrived.sent for arrived in provider.arrived] == [0, 1]


async def test_what_was_stopped_while_it_waited_is_never_asked(client: Client) -> None:
    token, provider = new_token(), ScriptedProvider()
    answer, following = await client.ask("tell me", token), await client.ask("short", token)
    await stop(client, answer)
    async with serving(client.store, provider):
        assert await client.text(following) == "you asked: short"
    assert provider.questions == ["short"]
    assert await client.events(answer) == [Final("", reset=True, stopped=True)]


async def test_a_stop_as_the_mark_is_written_asks_nothing(client: Client) -> None:
    held, provider, token = Held(), ScriptedProvider(), new_token()
    client.store.before["mark_sent"] = held
    async with serving(client.store, provider):
        answer = await client.ask("tell me", token)
        await held.waiting.wait()
        await stop(client, answer)
        held.go.set()
        assert await client.text(await client.ask("short", token)) == "you asked: short"
    assert provider.questions == ["short"]


async def test_pictures_that_are_stopped_are_given_up(client: Client) -> None:
    pictures = Pictures([("https://example.com/1",)], held=asyncio.Event())
    async with serving(client.store, ScriptedProvider(), pictures):
        answer = await client.submit(Image("Cat"), new_token())
        await until(lambda: len(pictures.drawn) == 1)
        await stop(client, answer)
        await until(lambda: client.store.calls.count("finish") == 1)
        assert await client.events(answer) == [Final("", reset=True, stopped=True)]
    assert pictures.outcomes == [("https://example.com/1",)]


async def test_a_stop_leaves_other_turns_alone_and_no_flag(client: Client) -> None:
    provider = ScriptedProvider(play=streaming)
    async with serving(client.store, provider) as served:
        first_answer, two = await client.ask("one"), await client.ask("two")
        await until(lambda: len(provider.arrived) == 2)
        await stop(client, first_answer)
        await hung_up_in_time(provider)
        await until(lambda: client.store.calls.count("finish") == 1)
        beats = client.store.calls.count("beat")
        await until(lambda: client.store.calls.count("beat") >= beats + 2)
        assert (await client.state(two), provider.hung_up) == ("STREAMING", 1)
        assert await redis_client(client.store).exists(keys.stops_key(served.id)) == 0
        await stop(client, two)
        await until(lambda: provider.hung_up == 2)


async def test_a_stop_reaches_the_worker_before_its_next_beat(client: Client) -> None:
    provider = ScriptedProvider(play=endless)
    await Scenario(client.store).settle()
    with mock.patch("worker.heartbeat._EVERY", NEVER):
        async with serving(client.store, provider, lease_ttl=NEVER, idle_timeout=NEVER, answer_timeout=NEVER):
            answer = await client.ask("tell me")
            await until(lambda: client.store.calls.count("append") == 1)
            await stop(client, answer)
            await until(lambda: provider.hung_up == 1)


async def test_a_draining_worker_still_hangs_up(client: Client) -> None:
    provider = ScriptedProvider(play=endless)
    async with serving(client.store, provider, drain_timeout=10.0) as served:
        answer = await client.ask("tell me")
        await until(lambda: client.store.calls.count("append") == 1)
        served.drain()
        await stop(client, answer)
        await hung_up_in_time(provider)
    assert await client.state(answer) == "STOPPED"
