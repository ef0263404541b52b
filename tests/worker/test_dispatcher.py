"""The jobs of tokens, as a whole worker takes, runs and ends them."""

from collections import Counter
from collections.abc import AsyncIterator
from unittest import mock

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from tests.support.worker.harness import (
    Away,
    Client,
    Held,
    WorkerHarness,
)
from tests.support.worker.running_dispatcher import dispatching
from tests.support.worker.running_worker import at_rest, serving
from tests.support.worker.scripted_provider import Ask, Gate, Pictures, ScriptedProvider, echo
from wire import keys
from wire.errors import StoreUnavailableError, TokenUnknownError
from wire.jobs import Jobs, new_answer_id, new_token
from wire.messages import Chat, Delta, Failed, Final, Image
from wire.sessions import Sessions
from wire.terminal_events import INTERRUPTED, STATE_LOST
from worker.providers import ChatUpdate

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


# Turns


async def test_a_question_is_answered(client: Client) -> None:
    async with serving(client.store, ScriptedProvider()):
        events = await client.events(await client.ask("why?"))
    assert "".join(event.text for event in events[:-1] if isinstance(event, Delta)) == "you asked: why?"
    assert events[-1] == Final("you asked: why?")
    await at_rest(client)


async def test_what_was_asked_before_the_worker_came_is_answered(client: Client) -> None:
    answers = [await client.ask(str(number)) for number in range(10)]
    async with serving(client.store, ScriptedProvider()):
        assert [await client.text(answer) for answer in answers] == [f"you asked: {number}" for number in range(10)]


async def test_a_tokens_turns_run_one_at_a_time_and_in_order(client: Client) -> None:
    provider, token = ScriptedProvider(), new_token()
    async with serving(client.store, provider):
        answers = [await client.ask(str(number), token) for number in range(20)]
        for number, answer in enumerate(answers):
            assert await client.text(answer) == f"you asked: {number}"
    assert provider.questions == [str(number) for number in range(20)]
    assert [arrival.sent for arrival in provider.arrived] == list(range(20))
    assert {arrival.state for arrival in provider.arrived} == {b"conversation 1"}
    assert not provider.overlapped


async def test_different_tokens_run_side_by_side(client: Client) -> None:
    gate = Gate("slow")
    async with serving(client.store, ScriptedProvider(play=gate)):
        slow = await client.ask("slow")
        await until(lambda: gate.waiting == ["slow"])
        assert await client.text(await client.ask("quick")) == "you asked: quick"
        gate.open("slow")
        assert await client.text(slow) == "you asked: slow"


async def test_a_tokens_next_question_waits_for_the_one_before(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    async with serving(client.store, ScriptedProvider(play=gate)):
        first_answer, two = await client.ask("one", token), await client.ask("two", token)
        await until(lambda: gate.waiting == ["one"])
        await client.text(await client.ask("another token's"))
        assert await client.so_far(two) == []
        gate.open("one")
        assert [await client.text(first_answer), await client.text(two)] == ["you asked: one", "you asked: two"]


async def test_slots_bound_what_runs_at_once(client: Client) -> None:
    questions = [str(number) for number in range(7)]
    gate = Gate(*questions)
    provider = ScriptedProvider(play=gate)
    async with serving(client.store, provider, worker_slots=2):
        answers = [await client.ask(question) for question in questions]
        for done in range(0, 7, 2):
            await until(lambda done=done: len(gate.waiting) == min(done + 2, 7))  # type: ignore[misc]
            gate.open(*gate.waiting)
        for answer in answers:
            await client.text(answer)
    assert provider.at_once == 2
    assert sorted(provider.questions) == questions


async def test_own_tokens_wait_for_a_slot(client: Client) -> None:
    gate = Gate("slow")
    provider = ScriptedProvider(play=gate)
    tokens = [new_token() for _ in range(4)]
    async with serving(client.store, provider, worker_slots=2):
        for token in tokens:
            await client.text(await client.ask("first", token))
        slow = await client.ask("slow")
        await until(lambda: gate.waiting == ["slow"])
        answers = [await client.ask("second", token) for token in tokens]
        for answer in answers:
            assert await client.text(answer) == "you asked: second"
        gate.open("slow")
        await client.text(slow)
    assert provider.at_once <= 2


async def test_pictures_are_drawn_and_their_token_is_not_kept(client: Client) -> None:
    token, pictures = new_token(), Pictures([("https://example.com/1",)])
    async with serving(client.store, ScriptedProvider(), pictures):
        event = await client.end(await client.submit(Image("Cat"), token))
        assert event == Final("", images=("https://example.com/1",))
        assert await client.owner(token) is None
    assert pictures.drawn == [("a", "Cat")]


async def test_a_provider_that_raises_anything_does_not_stop_the_worker(client: Client) -> None:
    async def odd(ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.question == "odd":
            raise KeyError("what")
        async for update in echo(ask):
            yield update

    token = new_token()
    async with serving(client.store, ScriptedProvider(play=odd)):
        failed = await client.end(await client.ask("odd", token))
        assert isinstance(failed, Failed)
        assert failed.reason == "upstream.protocol"
        assert await client.text(await client.ask("even", token)) == "you asked: even"


async def test_an_expired_job_is_skipped(client: Client) -> None:
    token, provider = new_token(), ScriptedProvider()
    first_answer, two = await client.ask("one", token), await client.ask("two", token)
    assert await Jobs(client.store, client.limits).expire(first_answer)
    async with serving(client.store, provider):
        assert await client.text(two) == "you asked: two"
    assert provider.questions == ["two"]
    expired = await client.end(first_answer)
    assert isinstance(expired, Failed)
    assert expired.reason == "queue.timeout"


async def test_an_answer_that_ended_elsewhere_is_not_asked_and_makes_way(client: Client) -> None:
    token, held, provider = new_token(), Held(), ScriptedProvider()
    client.store.before["mark_sent"] = held
    async with serving(client.store, provider):
        first_answer, two = await client.ask("one", token), await client.ask("two", token)
        await held.waiting.wait()
        await redis_client(client.store).hset(keys.job_key(first_answer), "state", "STOPPED")
        held.go.set()
        assert await client.text(two) == "you asked: two"
    assert provider.questions == ["two"]
    assert await client.so_far(first_answer) == []


# Leases


async def test_a_token_stays_with_its_worker(client: Client) -> None:
    first_provider, two, token = ScriptedProvider(), ScriptedProvider(), new_token()
    async with serving(client.store, first_provider) as first:
        await client.text(await client.ask("0", token))
        async with serving(client.store, two):
            await client.text(await client.ask("warm"))
            for number in range(1, 10):
                await client.text(await client.ask(str(number), token))
            assert await client.owner(token) == first.id
    assert [question for question in first_provider.questions if question != "warm"] == [
        str(number) for number in range(10)
    ]
    assert {arrival.state for arrival in first_provider.arrived if arrival.question != "warm"} == {b"conversation 1"}


async def test_what_has_no_place_at_a_busy_worker_another_one_answers(client: Client) -> None:
    gate, token = Gate("slow"), new_token()
    first_provider, two = ScriptedProvider(play=gate), ScriptedProvider()
    async with serving(client.store, first_provider, worker_slots=1):
        await client.text(await client.ask("warm", token))
        slow = await client.ask("slow")
        await until(lambda: gate.waiting == ["slow"])
        mine, anybodys = await client.ask("mine", token), await client.ask("anybody's")
        async with serving(client.store, two):
            assert await client.text(anybodys) == "you asked: anybody's"
            assert await client.text(mine) == "you asked: mine"
        gate.open("slow")
        await client.text(slow)
    assert first_provider.questions == ["warm", "slow"]
    assert [arrival.state for arrival in two.arrived if arrival.question == "mine"] == [b"conversation 1"]


async def test_an_idle_token_is_released_and_another_worker_continues_its_conversation(client: Client) -> None:
    gate, token = Gate("slow"), new_token()
    first_provider, two = ScriptedProvider(play=gate), ScriptedProvider()
    async with serving(client.store, first_provider, worker_slots=1, idle_release=0.2) as first:
        await client.text(await client.ask("one", token))
        assert await client.owner(token) == first.id
        slow = await client.ask("slow")
        await until(lambda: gate.waiting == ["slow"])

        async def released() -> bool:
            return await client.owner(token) is None

        await until(released)
        async with serving(client.store, two) as second:
            final = await client.end(await client.ask("two", token))
            assert final == Final("you asked: two", reset=False)
            assert await client.owner(token) == second.id
        gate.open("slow")
        await client.text(slow)
    [arrived] = two.arrived
    assert (arrived.state, arrived.sent, arrived.account) == (b"conversation 1", 1, "a")


async def test_a_token_that_is_at_work_is_not_released(client: Client) -> None:
    gate, token = Gate("two"), new_token()
    async with serving(client.store, ScriptedProvider(play=gate), idle_release=0.1) as first:
        busy, idle = await client.ask("two", token), new_token()
        await until(lambda: gate.waiting == ["two"])
        await client.text(await client.ask("one", idle))

        async def released() -> bool:
            return await client.owner(idle) is None

        await until(released)
        assert await client.owner(token) == first.id
        gate.open("two")
        await client.text(busy)


async def test_a_token_that_gets_work_while_others_are_released_stays(client: Client) -> None:
    gate, held, tokens = Gate("again"), Held(), [new_token(), new_token()]
    client.store.before["release"] = held
    async with serving(client.store, ScriptedProvider(play=gate), idle_release=0.1) as first:
        for token in tokens:
            await client.text(await client.ask("once", token))
        await held.waiting.wait()
        again = await client.ask("again", tokens[1])
        await until(lambda: gate.waiting == ["again"])
        held.go.set()

        async def released() -> bool:
            return await client.owner(tokens[0]) is None

        await until(released)
        assert await client.owner(tokens[1]) == first.id
        gate.open("again")
        assert await client.text(again) == "you asked: again"


async def test_a_release_that_redis_missed_is_tried_again(client: Client) -> None:
    token, away = new_token(), Away(1)
    client.store.before["release"] = away
    async with serving(client.store, ScriptedProvider(), idle_release=0.1):
        await client.text(await client.ask("one", token))

        async def released() -> bool:
            return await client.owner(token) is None

        await until(released)
        assert away.met == 1


async def test_a_release_that_was_done_already_is_nothing(client: Client) -> None:
    token, away = new_token(), Away(1)
    client.store.after["release"] = away
    async with serving(client.store, ScriptedProvider(), idle_release=0.1):
        await client.text(await client.ask("one", token))
        await until(lambda: client.store.calls.count("release") == 2)
        assert await client.text(await client.ask("two", token)) == "you asked: two"


async def test_what_a_dead_worker_claimed_is_answered_by_another(client: Client, harness: WorkerHarness) -> None:
    token, provider = new_token(), ScriptedProvider()
    task = await harness.task("one", token)
    two = await client.ask("two", token)
    await redis_client(client.store).delete(keys.worker_key("desk"))
    three = await client.ask("three", token)
    async with serving(client.store, provider, lease_ttl=1.0):
        assert await client.text(task.answer) == "you asked: one"
        assert await client.text(two) == "you asked: two"
        assert await client.text(three) == "you asked: three"
    assert provider.questions == ["one", "two", "three"]


async def test_what_a_dead_worker_sent_is_interrupted(client: Client, harness: WorkerHarness) -> None:
    token, provider = new_token(), ScriptedProvider()
    task = await harness.task("one", token)
    await harness.sessions.mark_sent(task, 1, 1, fresh=True)
    await redis_client(client.store).delete(keys.worker_key("desk"))
    two = await client.ask("two", token)
    async with serving(client.store, provider, lease_ttl=1.0):
        assert await client.end(task.answer) == INTERRUPTED
        assert await client.text(two) == "you asked: two"
    assert provider.questions == ["two"]


async def test_a_worker_that_lost_its_lease_writes_nothing_more(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    with capture_logs() as logs:
        async with serving(client.store, ScriptedProvider(play=gate)):
            answer = await client.ask("one", token)
            await until(lambda: gate.waiting == ["one"])
            await until(lambda: "append" in client.store.calls)
            await redis_client(client.store).hincrby(keys.token_key(token), "fence", 1)
            await redis_client(client.store).hset(keys.token_key(token), "owner", "another")
            gate.open("one")
            await until(lambda: any(line["event"] == "lease lost" for line in logs))
            assert await client.so_far(answer) == [Delta("you asked: ")]
            assert await client.text(await client.ask("two")) == "you asked: two"


async def test_a_lease_that_only_redis_still_knows_is_given_up(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    async with serving(client.store, ScriptedProvider(play=gate)):
        answer = await client.ask("one", token)
        await until(lambda: gate.waiting == ["one"])
        await redis_client(client.store).hincrby(keys.token_key(token), "fence", 1)
        gate.open("one")
        assert await client.end(answer) == STATE_LOST
        assert await client.text(await client.ask("two", token)) == "you asked: two"


async def test_a_question_is_not_sent_after_a_whole_lease_without_a_heartbeat(client: Client) -> None:
    token, held, provider = new_token(), Held(), ScriptedProvider()
    client.store.before["mark_sent"] = held
    async with serving(client.store, provider, lease_ttl=1.0) as served:
        answer = await client.ask("one", token)
        await held.waiting.wait()
        client.store.before["beat"] = Away()
        await until(lambda: not served._heartbeat.lease_valid)
        held.go.set()
        assert await client.end(answer) == INTERRUPTED
        assert provider.questions == []
        del client.store.before["beat"]
        assert await client.text(await client.ask("two", token)) == "you asked: two"


# What wakes it


async def test_the_bell_wakes_it_between_beats(client: Client) -> None:
    async with dispatching(client.store, ScriptedProvider(), bell=True, beats=False):
        assert await client.text(await client.ask("one")) == "you asked: one"
    assert client.store.calls.count("beat") == 1


async def test_a_beat_wakes_it_when_the_bell_is_lost(client: Client) -> None:
    async with dispatching(client.store, ScriptedProvider(), bell=False, beats=True):
        assert await client.text(await client.ask("one")) == "you asked: one"


async def test_the_end_of_a_turn_makes_room_for_the_next_client(client: Client) -> None:
    answers = [await client.ask(str(number), asker=f"client {number}") for number in range(5)]
    provider = ScriptedProvider()
    async with dispatching(client.store, provider, bell=False, beats=False, worker_slots=1):
        assert [await client.text(answer) for answer in answers] == [f"you asked: {number}" for number in range(5)]
    assert (provider.at_once, provider.questions) == (1, [str(number) for number in range(5)])


async def test_a_bell_that_rings_just_before_a_place_is_free_is_not_lost(client: Client) -> None:
    held = Held()
    async with dispatching(client.store, ScriptedProvider(), bell=True, beats=False, worker_slots=1) as rings:
        client.store.after["finish"] = held
        first_answer = await client.ask("one")
        await held.waiting.wait()
        # Redis counts the place as free, and the worker doesn't yet.
        heard = rings.heard
        two = await client.ask("two")
        await until(lambda: rings.heard > heard)
        held.go.set()
        assert [await client.text(first_answer), await client.text(two)] == ["you asked: one", "you asked: two"]


async def test_a_token_that_its_owner_leaves_waiting_is_taken_after_a_while(client: Client) -> None:
    scenario, token, provider = Scenario(client.store), new_token(), ScriptedProvider()
    async with dispatching(client.store, provider, bell=False, beats=False) as rings:
        await scenario.hire("owner")
        await client.ask("one", token)
        task = await scenario.sent("owner")
        # Its bell takes one of these places; with another one free, the token is left to it.
        await scenario.finish(task, free=2)
        answer = await client.ask("two", token)
        rings.dispatcher.look()
        assert await client.text(answer) == "you asked: two"
    assert provider.questions == ["two"]


async def test_turns_that_arrive_after_draining_has_begun_go_back(client: Client) -> None:
    held, first_provider, two = Held(), ScriptedProvider(), ScriptedProvider()
    answers = [await client.ask(question) for question in ("one", "two")]
    client.store.after["take"] = held
    async with serving(client.store, first_provider) as first:
        await held.waiting.wait()
        first.drain()
        held.go.set()
    assert [await client.state(answer) for answer in answers] == ["QUEUED", "QUEUED"]
    assert first_provider.questions == []
    async with serving(client.store, two):
        assert [await client.text(answer) for answer in answers] == ["you asked: one", "you asked: two"]
    await at_rest(client)


# Shares of clients


async def test_one_client_gets_three_quarters_of_the_places_and_another_one_some_at_once(client: Client) -> None:
    questions = [f"{number}" for number in range(12)]
    gate = Gate(*questions)
    provider = ScriptedProvider(play=gate)
    async with serving(client.store, provider, worker_slots=8):
        answers = [await client.ask(question, asker="many") for question in questions]
        await until(lambda: len(gate.waiting) == 6)
        for _ in range(3):
            assert await client.text(await client.ask("few", asker="few")) == "you asked: few"
        assert len(gate.waiting) == 6
        gate.open(*questions)
        for answer in answers:
            await client.text(answer)
    assert sorted(provider.questions) == sorted([*questions, *["few"] * 3])


async def test_where_clients_are_not_distinguished_all_places_are_used(client: Client) -> None:
    questions = [f"{number}" for number in range(8)]
    gate = Gate(*questions)
    async with serving(client.store, ScriptedProvider(play=gate), worker_slots=8):
        answers = [await client.ask(question) for question in questions]
        await until(lambda: len(gate.waiting) == 8)
        gate.open(*questions)
        for answer in answers:
            await client.text(answer)


async def test_whatever_ends_a_turn_its_client_has_one_less(client: Client) -> None:
    async def odd(ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.question == "odd":
            raise KeyError("what")
        async for update in gate(ask):
            yield update

    gate, asker = Gate("stopped"), "somebody"
    async with serving(client.store, ScriptedProvider(play=odd)) as served:
        running = served._dispatcher._running
        stopped = await client.ask("stopped", asker=asker)
        await until(lambda: gate.waiting == ["stopped"])
        assert running == Counter([(asker, 1)])
        await client.end(await client.ask("odd", asker=asker))
        await client.text(await client.ask("even", asker=asker))
        await Jobs(client.store, client.limits).stop(stopped)
        await until(lambda: not running)
        await until(lambda: not served.slots_used)


# The end of a session


async def test_a_session_ends_after_its_running_turn(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    async with serving(client.store, ScriptedProvider(play=gate)):
        first_answer, two = await client.ask("one", token), await client.ask("two", token)
        await until(lambda: gate.waiting == ["one"])
        await Sessions(client.store).end(token)
        dropped = await client.end(two)
        assert isinstance(dropped, Failed)
        assert dropped.reason == "session.closed"
        gate.open("one")
        assert await client.text(first_answer) == "you asked: one"
        with pytest.raises(TokenUnknownError):
            await Jobs(client.store, client.limits).submit(
                new_answer_id(), Chat("balanced", "three"), token, create=False
            )
    await at_rest(client)


async def test_an_idle_session_ends_at_once(client: Client) -> None:
    token, provider = new_token(), ScriptedProvider()
    async with serving(client.store, provider, idle_release=0.2):
        await client.text(await client.ask("one", token))
        await Sessions(client.store).end(token)
        assert await client.owner(token) is None
        assert await client.text(await client.ask("two", token)) == "you asked: two"
    assert [arrival.state for arrival in provider.arrived] == [b"conversation 1", b"conversation 2"]


# Redis away


@pytest.mark.parametrize("lost", ["call", "reply"])
async def test_an_end_that_redis_missed_is_written_again(client: Client, lost: str) -> None:
    token, away, provider = new_token(), Away(1), ScriptedProvider()
    (client.store.before if lost == "call" else client.store.after)["finish"] = away
    async with serving(client.store, provider):
        first_answer, two = await client.ask("one", token), await client.ask("two", token)
        assert await client.text(first_answer) == "you asked: one"
        assert await client.text(two) == "you asked: two"
    assert away.met == 1
    assert provider.questions == ["one", "two"]


@pytest.mark.parametrize("lost", ["call", "reply"])
async def test_turns_that_redis_missed_are_taken_again(client: Client, lost: str) -> None:
    away, provider = Away(2), ScriptedProvider()
    answers = [await client.ask(question) for question in ("one", "two")]
    (client.store.before if lost == "call" else client.store.after)["take"] = away
    async with serving(client.store, provider):
        assert [await client.text(answer) for answer in answers] == ["you asked: one", "you asked: two"]
    assert away.met == 2
    assert sorted(provider.questions) == ["one", "two"]
    await at_rest(client)


async def test_turns_whose_reply_never_comes_are_asked_once(client: Client) -> None:
    """The worker finds them among its leases, and gives them back."""
    provider = ScriptedProvider()
    answer = await client.ask("one")
    client.store.after["take"] = Away()
    async with serving(client.store, provider) as served:
        await until(lambda: client.store.calls.count("take") >= 1)
        served._heartbeat.request_reassert()
        await until(lambda: "disclaim" in client.store.calls)
        del client.store.after["take"]
        assert await client.text(answer) == "you asked: one"
    assert provider.questions == ["one"]


async def test_leases_that_are_reported_while_turns_are_taken_stay(client: Client) -> None:
    provider, held = ScriptedProvider(), Held()
    answer = await client.ask("one")
    client.store.after["take"] = held
    async with dispatching(client.store, provider, bell=False, beats=True) as rings:
        await held.waiting.wait()
        announced = client.store.calls.count("announce")
        rings.dispatcher.heartbeat.request_reassert()
        await until(lambda: client.store.calls.count("announce") > announced, "it begins to report")
        # Redis would have had its time for all of the report.
        for _ in range(20):
            await redis_client(client.store).exists(keys.ring_key())
        held.go.set()
        assert await client.text(answer) == "you asked: one"
        beats = client.store.calls.count("beat")
        await until(lambda: client.store.calls.count("beat") > beats, "it has reported")
    assert provider.questions == ["one"]
    assert "disclaim" not in client.store.calls


async def test_a_turn_whose_work_cannot_be_read_goes_back(client: Client) -> None:
    away = mock.patch.object(Sessions, "read_work", side_effect=StoreUnavailableError("away"))
    answer = await client.ask("one")
    with capture_logs() as logs:
        async with serving(client.store, ScriptedProvider(), lease_ttl=1.0, worker_slots=1):
            with away:
                await until(lambda: any(line["event"] == "turn dropped" for line in logs))
            assert await client.text(await client.ask("two")) == "you asked: two"
            assert await client.text(answer) == "you asked: one"


async def test_an_answer_whose_state_redis_lost_makes_way(client: Client) -> None:
    gate, token = Gate("one"), new_token()
    # Of what its worker has no more either.
    with capture_logs() as logs, mock.patch("worker.turns.recent_events.MOST_EVENTS", 0):
        async with serving(client.store, ScriptedProvider(play=gate)):
            answer = await client.ask("one", token)
            await until(lambda: gate.waiting == ["one"])
            await until(lambda: "append" in client.store.calls)
            await redis_client(client.store).hset(keys.job_key(answer), "seq", "0")
            await redis_client(client.store).delete(keys.log_key(answer))
            gate.open("one")
            await until(lambda: client.has_ended(answer))
            [failed] = await client.so_far(answer)
            assert isinstance(failed, Failed)
            assert failed.reason == "state.lost"
            assert await client.text(await client.ask("two", token)) == "you asked: two"
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    # Redis may have a limit here, or none.
    assert [event for event in warnings if not event.startswith("redis has no maxmemory")] == [
        "redis may not know what this worker holds, reporting it",
        "turn broken off",
    ]
