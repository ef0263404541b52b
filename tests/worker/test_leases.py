"""Leases of a worker whose Redis loses data: no question is asked twice, and every loss is reported."""

import asyncio
from collections.abc import AsyncIterator
from unittest import mock

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.snapshot import Remembered, forget_since, remember
from tests.support.worker.harness import Away, Client, HookedStore
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import Ask, Pictures, ScriptedProvider, echo
from wire import keys
from wire.errors import TokenUnknownError
from wire.jobs import Jobs, new_answer_id, new_token
from wire.messages import Chat, Failed, Final, Image
from wire.sessions import Sessions
from worker.providers import ChatUpdate, Completion, Snapshot
from worker.turns.recent_events import MOST_BYTES

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


class Remembering:
    """A hook of `take`: holds the first call until there is a question, and remembers what Redis holds then."""

    def __init__(self, store: HookedStore) -> None:
        self._store = store
        self.snapshot: Remembered | None = None

    async def __call__(self) -> None:
        if self.snapshot is None:
            await until(lambda: redis_client(self._store).keys(keys.job_key("*")), "a question is asked")
            self.snapshot = await remember(self._store)

    async def forget(self) -> None:
        """Redis restarts with what it held then."""
        assert self.snapshot is not None
        await forget_since(self._store, self.snapshot)


class Quiet:
    """Sends the question `one` and answers when it may; answers any other at once."""

    def __init__(self, begin: str = "") -> None:
        self.sent = asyncio.Event()
        self.go = asyncio.Event()
        self._begin = begin

    async def __call__(self, ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.question != "one":
            async for update in echo(ask):
                yield update
            return
        await ask.send()
        if self._begin:
            yield Snapshot(self._begin)
        self.sent.set()
        await self.go.wait()
        yield Completion(f"you asked: {ask.question}", ask.state)


async def end(client: Client, answer: str) -> Final | Failed:
    """Return the terminal event, also after others were forgotten."""
    await until(lambda: client.has_ended(answer))
    last = (await client.so_far(answer))[-1]
    assert isinstance(last, Final | Failed)
    return last


async def nothing_waits(client: Client) -> bool:
    return await client.waiting() == 0


async def test_a_turn_continues_when_redis_forgets_that_it_was_taken(client: Client) -> None:
    provider = ScriptedProvider(play=(quiet := Quiet()))
    client.store.before["take"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=1.0):
        answer = await client.ask("one")
        await quiet.sent.wait()
        await memory.forget()
        await until(lambda: "reassert" in client.store.calls)
        quiet.go.set()
        assert await client.text(answer) == "you asked: one"
        assert await client.text(await client.ask("two")) == "you asked: two"
        await until(lambda: nothing_waits(client))
    assert provider.questions == ["one", "two"]


async def test_an_answer_of_which_redis_forgets_a_part_gets_it_again_and_continues(client: Client) -> None:
    provider, token = ScriptedProvider(play=(quiet := Quiet("you"))), new_token()
    client.store.before["append"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=1.0):
        answer = await client.ask("one", token)
        await until(lambda: "append" in client.store.calls)
        await memory.forget()
        await until(lambda: client.so_far(answer), "it is there again, before anything new is")
        quiet.go.set()
        assert await client.text(answer) == "you asked: one"
        assert [event.text for event in await client.events(answer)] == ["you", " asked: one", "you asked: one"]
        following = await client.end(await client.ask("two", token))
        assert isinstance(following, Final)
        assert (following.text, following.reset) == ("you asked: two", False)
    assert provider.questions == ["one", "two"]


async def test_an_end_that_meets_lost_events_is_written_behind_them(client: Client) -> None:
    provider = ScriptedProvider(play=(quiet := Quiet("you")))
    client.store.before["append"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=30.0):
        answer = await client.ask("one")
        await until(lambda: "append" in client.store.calls)

        async def forget() -> None:
            del client.store.before["finish"]
            await memory.forget()

        client.store.before["finish"] = forget
        quiet.go.set()
        assert [event.text for event in await client.events(answer)] == ["you", " asked: one", "you asked: one"]
    assert provider.questions == ["one"]


async def test_an_answer_of_which_redis_forgets_more_than_is_left_ends_as_lost(client: Client) -> None:
    """The worker closes the upstream's connection."""
    provider, token = ScriptedProvider(play=Quiet("long " * MOST_BYTES)), new_token()
    client.store.before["append"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=1.0):
        answer = await client.ask("one", token)
        await until(lambda: "append" in client.store.calls)
        await memory.forget()
        lost = await end(client, answer)
        assert isinstance(lost, Failed)
        assert lost.reason == "state.lost"
        assert await client.text(await client.ask("two", token)) == "you asked: two"
    assert provider.hung_up == 1
    assert [(arrival.question, arrival.state) for arrival in provider.arrived] == [
        ("one", b"conversation 1"),
        ("two", b"conversation 2"),
    ]


async def test_a_redis_that_forgets_everything_makes_the_worker_hang_up(client: Client) -> None:
    provider, token = ScriptedProvider(play=Quiet("once")), new_token()
    async with serving(client.store, provider, lease_ttl=1.0):
        await client.ask("one", token)
        await until(lambda: "append" in client.store.calls)
        await redis_client(client.store).flushall()
        await until(lambda: provider.hung_up == 1)
        with pytest.raises(TokenUnknownError):
            await Jobs(client.store, client.limits).submit(
                new_answer_id(), Chat("balanced", "two"), token, create=False
            )
        assert await client.text(await client.ask("three")) == "you asked: three"
    assert provider.questions == ["one", "three"]


async def test_an_end_that_redis_forgets_is_written_again_with_what_was_ahead_of_it(client: Client) -> None:
    """Its conversation continues."""
    provider, token = ScriptedProvider(), new_token()
    client.store.before["take"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=1.0):
        answer = await client.ask("one", token)
        events = await client.events(answer)
        await memory.forget()
        await until(lambda: client.store.calls.count("finish") == 2)
        assert await client.so_far(answer) == events
        following = await client.end(await client.ask("two", token))
        assert isinstance(following, Final)
        assert (following.text, following.reset) == ("you asked: two", False)
    assert "ended" not in client.store.calls
    assert [(arrival.question, arrival.state) for arrival in provider.arrived] == [
        ("one", b"conversation 1"),
        ("two", b"conversation 1"),
    ]


async def test_a_question_whose_end_nobody_has_any_more_is_not_asked_again(client: Client) -> None:
    """The next answer of its token has `reset`."""
    provider, token = ScriptedProvider(), new_token()
    client.store.before["take"] = memory = Remembering(client.store)
    with mock.patch("worker.turns.ended_answers._MOST_BYTES", 0):
        async with serving(client.store, provider, lease_ttl=1.0):
            answer = await client.ask("one", token)
            assert await client.text(answer) == "you asked: one"
            await memory.forget()
            await until(lambda: "ended" in client.store.calls)
            following = await client.end(await client.ask("two", token))
            assert isinstance(following, Final)
            assert (following.text, following.reset) == ("you asked: two", True)
            assert isinstance(await end(client, answer), Failed)
    assert [(arrival.question, arrival.state) for arrival in provider.arrived] == [
        ("one", b"conversation 1"),
        ("two", b"conversation 2"),
    ]


async def test_an_end_that_meets_a_forgotten_lease_is_written_once_it_is_reported(client: Client) -> None:
    provider = ScriptedProvider()
    client.store.before["take"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=30.0):
        answer = await client.ask("one")

        async def forget() -> None:
            del client.store.before["finish"]
            await memory.forget()

        client.store.before["finish"] = forget
        assert isinstance(await end(client, answer), Final)
        await until(lambda: client.store.calls.count("finish") == 2)
        await redis_client(client.store).hset(keys.run_key(), "at", "0")
        assert await client.text(await client.ask("two")) == "you asked: two"
    assert provider.questions == ["one", "two"]


async def test_a_picture_whose_end_redis_forgets_is_not_drawn_again(client: Client) -> None:
    pictures = Pictures([("https://example.org/1",), ("https://example.org/2",)])
    client.store.before["take"] = memory = Remembering(client.store)
    async with serving(client.store, ScriptedProvider(), pictures, lease_ttl=1.0):
        answer = await client.submit(Image("cat"), new_token())
        assert isinstance(await client.end(answer), Final)
        await memory.forget()
        assert isinstance(await end(client, answer), Failed)
        await client.submit(Image("dog"), new_token())
        await until(lambda: len(pictures.drawn) == 2)
    assert [keyword for _, keyword in pictures.drawn] == ["cat", "dog"]


async def test_a_token_whose_end_could_not_be_written_is_free_once_redis_is_back(client: Client) -> None:
    provider, token = ScriptedProvider(), new_token()
    client.store.before["finish"] = Away()
    with capture_logs() as logs:
        async with serving(client.store, provider, answer_timeout=1.0, lease_ttl=1.0):
            first_answer = await client.ask("one", token)
            await until(lambda: any(line["event"] == "gave up waiting for Redis" for line in logs))
            two = await client.ask("two", token)
            del client.store.before["finish"]
            client.store.before["beat"] = Away(1)
            assert await client.text(two) == "you asked: two"
            assert isinstance(await end(client, first_answer), Failed)
    assert provider.questions == ["one", "two"]


async def test_an_idle_token_that_went_elsewhere_is_dropped(client: Client) -> None:
    provider, token = ScriptedProvider(), new_token()
    async with serving(client.store, provider, lease_ttl=1.0, idle_release=600.0) as worker:
        await client.text(await client.ask("one", token))
        leases = worker._dispatcher.leases
        await until(lambda: token in leases._idle)
        await redis_client(client.store).hset(keys.token_key(token), mapping={"owner": "elsewhere", "fence": 77})
        await redis_client(client.store).delete(keys.run_key())
        await until(lambda: token not in leases._idle)
    assert "reassert" in client.store.calls
    assert "release" not in client.store.calls
    assert await client.owner(token) == "elsewhere"


async def test_an_end_that_was_written_before_a_long_outage_is_reported_too(client: Client) -> None:
    provider = ScriptedProvider()
    client.store.before["take"] = memory = Remembering(client.store)
    async with serving(client.store, provider, lease_ttl=1.0, idle_release=0.1, lost_seconds=0.5):
        answer = await client.ask("one")
        assert await client.text(answer) == "you asked: one"
        await until(lambda: "release" in client.store.calls)
        client.store.before["beat"] = away = Away()
        await until(lambda: away.met >= 6)
        await memory.forget()
        del client.store.before["beat"]
        await until(lambda: client.store.calls.count("finish") == 2)
        assert isinstance(await end(client, answer), Final)
        assert await client.text(await client.ask("two")) == "you asked: two"
    assert provider.questions == ["one", "two"]


async def test_a_worker_whose_accounts_are_gone_gives_its_tokens_to_others(client: Client) -> None:
    provider, other, token = ScriptedProvider(), ScriptedProvider(), new_token()
    async with serving(client.store, provider) as served:
        await client.text(await client.ask("one", token))
        await served._upstream.pool.replace([])
        await until(lambda: not_owned(client, token))
        async with serving(client.store, other):
            assert await client.text(await client.ask("two", token)) == "you asked: two"
    assert other.questions == ["two"]


async def test_a_worker_whose_accounts_are_gone_says_so_with_its_next_heartbeat(client: Client) -> None:
    sessions = Sessions(client.store)

    async def available(*workers: str) -> bool:
        return await sessions.list_available_workers() == [*workers]

    async with serving(client.store, ScriptedProvider()) as served:
        await until(lambda: available(served.id))
        accounts = list(served._upstream.pool._accounts.values())
        await served._upstream.pool.replace([])
        await until(available)
        assert await sessions.list_live_workers() == [served.id]
        await served._upstream.pool.replace(accounts)
        await until(lambda: available(served.id))


async def not_owned(client: Client, token: str) -> bool:
    return await client.owner(token) is None
