"""The reaper: what a dead worker left continues without anybody's next question."""

from collections.abc import AsyncIterator

import pytest

from tests.support.wire.scenario import Asked, RepeatingStore, Scenario
from wire import keys
from wire.errors import LeaseLostError
from wire.messages import Delta, Failed, Final, HistoryMessage
from wire.redis.store import Store
from wire.sessions import StatelessSession
from wire.terminal_events import INTERRUPTED, POISON

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire("dead", "other")
    await scenario.hire("live", may_judge=True)
    yield scenario
    await store.close()


async def reap(scenario: Scenario) -> int:
    """Reap in the name of a worker that has just beaten, however long the test has taken."""
    await scenario.hire("live", may_judge=True)
    return await scenario.sessions.reap("live", "dead")


async def test_a_dead_workers_unsent_job_is_scheduled_for_others(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.take("dead")
    await scenario.kill("dead")
    assert await scenario.sessions.list_dead_workers() == ["dead"]
    assert await scenario.sessions.reap("live", "dead") == 0
    task = await scenario.sent("other")
    assert task.answer == question.answer
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]
    assert await scenario.sessions.list_dead_workers() == []


async def test_a_dead_workers_sent_job_ends_interrupted(
    scenario: Scenario,
) -> None:
    """The token's next job begins a fresh conversation."""
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("dead"), session=b'"saved"')
    broken = await scenario.ask("second", question.token)
    zombie = await scenario.sent("dead")
    waiting = await scenario.ask("third", question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    assert await scenario.events(broken.answer) == [INTERRUPTED]
    task = await scenario.take("other")
    assert (task.answer, task.session, task.sent) == (waiting.answer, None, 0)
    with pytest.raises(LeaseLostError):
        await scenario.finish(zombie)
    assert await scenario.events(broken.answer) == [INTERRUPTED]


async def test_a_death_between_turns_costs_nothing(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("dead"), session=b'"saved"')
    await scenario.kill("dead")
    assert await scenario.sessions.reap("live", "dead") == 0
    second = await scenario.ask("second", question.token)
    task = await scenario.take("other")
    assert (task.answer, task.session, task.reset) == (second.answer, b'"saved"', False)


async def test_what_waited_for_a_dead_worker_goes_to_another(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("dead"))
    second = await scenario.ask("second", question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    assert (await scenario.take("other")).answer == second.answer
    assert not await scenario.redis.exists(keys.took_key("dead"))


async def test_a_job_that_costs_two_workers_their_lives_is_given_up(scenario: Scenario) -> None:
    question = await scenario.ask()
    for victim in ("dead", "other"):
        await scenario.take(victim)
        await scenario.kill(victim)
        await scenario.sessions.reap("live", victim)
    assert await scenario.events(question.answer) == [POISON]
    assert await scenario.take_all("live") == []
    assert await scenario.redis.zcard(keys.queued_key()) == 0


async def test_tokens_are_taken_over_in_bounded_batches(scenario: Scenario) -> None:
    questions = [await scenario.ask(str(number)) for number in range(120)]
    while await scenario.take_all("dead"):
        pass
    await scenario.kill("dead")
    while await reap(scenario):
        pass
    states = [await scenario.state(question.answer) for question in questions]
    assert states == ["QUEUED"] * 120


async def test_a_session_that_was_ending_ends_with_its_dead_worker(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.sent("dead")
    await scenario.sessions.end(question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    assert await scenario.events(question.answer) == [INTERRUPTED]
    assert not await scenario.redis.exists(keys.token_key(question.token))


async def test_an_ending_session_ends_with_a_returned_job_that_ends_without_a_turn(
    scenario: Scenario,
) -> None:
    question = await scenario.ask()
    await scenario.take("dead")
    await scenario.sessions.end(question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    await scenario.jobs.expire(question.answer)
    assert await scenario.take_all("live") == []
    assert not await scenario.redis.exists(keys.token_key(question.token))


async def test_a_living_worker_is_left_alone(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("dead")
    assert await scenario.sessions.reap("live", "dead") == -1
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]


async def test_a_worker_that_has_not_beaten_for_a_lease_may_not_reap(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.sent("dead")
    await scenario.kill("dead")
    assert await scenario.sessions.reap("other", "dead") == -1
    assert await scenario.events(question.answer) == []
    assert await scenario.sessions.list_dead_workers() == ["dead"]


async def test_a_token_that_went_elsewhere_meanwhile_is_left_alone(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.take("dead")
    await scenario.redis.hset(keys.token_key(question.token), "owner", "other")
    await scenario.kill("dead")
    assert await scenario.sessions.reap("live", "dead") == 0
    assert await scenario.redis.hget(keys.token_key(question.token), "owner") == b"other"


async def broken_off(scenario: Scenario, *texts: str, begins: bool) -> Asked:
    """A worker dies with the second question of a conversation that its upstream doesn't remember."""
    first = await scenario.ask("first")
    exchange = (HistoryMessage("user", "first"), HistoryMessage("assistant", "one"))
    await scenario.finish(await scenario.sent("dead"), session=b"before", exchange=exchange, begins=True)
    broken = await scenario.ask("second", first.token)
    task = await scenario.take("dead")
    session = StatelessSession(b"kept", begins)
    await scenario.sessions.mark_sent(task, 1, 2, fresh=True, stateless=session)
    for seq, text in enumerate(texts, 1):
        await scenario.append(task, seq, Delta(text))
    await scenario.kill("dead")
    return broken


@pytest.mark.parametrize(
    ("texts", "begins", "remaining"),
    [
        (("so ", "far"), False, ["first", "one", "second", "so far"]),
        (("天空 ", '"\\/\n'), False, ["first", "one", "second", '天空 "\\/\n']),
        (("so far",), True, ["second", "so far"]),
        ((), False, ["first", "one"]),
    ],
)
async def test_a_conversation_that_the_upstream_does_not_remember_outlives_its_worker(
    scenario: Scenario, texts: tuple[str, ...], begins: bool, remaining: list[str]
) -> None:
    broken = await broken_off(scenario, *texts, begins=begins)
    await scenario.sessions.reap("live", "dead")
    assert (await scenario.events(broken.answer))[-1] == Failed("interrupted", reset=False)
    transcript = await scenario.sessions.read_transcript(broken.token)
    assert [message.text for message in transcript.messages] == remaining
    assert transcript.whole
    third = await scenario.ask("third", broken.token)
    task = await scenario.take("other")
    assert (task.answer, task.session, task.reset) == (third.answer, b"kept", False)


async def test_what_a_worker_of_the_version_before_sent_is_reset_when_it_dies(scenario: Scenario) -> None:
    """Its mark says nothing of what the upstream remembers, and leaves what a newer worker's mark before said."""
    broken = await broken_off(scenario, "so far", begins=False)
    await scenario.redis.hdel(keys.job_key(broken.answer), "stateless")
    assert await scenario.redis.hget(keys.token_key(broken.token), "stateless") == b"1"
    await scenario.sessions.reap("live", "dead")
    assert (await scenario.events(broken.answer))[-1] == Failed("interrupted", reset=True)
    await scenario.ask("third", broken.token)
    task = await scenario.take("other")
    assert (task.session, task.reset) == (None, False)


async def test_it_outlives_its_worker_after_a_stop_too(scenario: Scenario) -> None:
    broken = await broken_off(scenario, "so far", begins=False)
    await scenario.jobs.stop(broken.answer)
    await scenario.sessions.reap("live", "dead")
    assert (await scenario.events(broken.answer))[-1] == Final("so far", reset=False, stopped=True)
    transcript = await scenario.sessions.read_transcript(broken.token)
    assert [message.text for message in transcript.messages] == ["first", "one", "second", "so far"]


async def test_a_first_question_without_text_leaves_no_conversation(scenario: Scenario) -> None:
    first = await scenario.ask("first")
    task = await scenario.take("dead")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=StatelessSession(b"kept", begins=True))
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    await scenario.ask("second", first.token)
    task = await scenario.take("other")
    assert (task.session, task.reset) == (None, False)


async def test_many_long_answers_are_not_ended_in_one_go(scenario: Scenario) -> None:
    """Redis reads them whole, and would serve nobody else for seconds, no heartbeat either."""
    tasks = []
    for _ in range(5):
        await scenario.ask()
        task = await scenario.sent("dead")
        await scenario.append(task, 1, Delta("a"))
        await scenario.lengthen(task, Delta("a"), 2501)
        tasks.append(task)
    await scenario.kill("dead")
    lefts = [await reap(scenario)]
    while lefts[-1]:
        lefts.append(await reap(scenario))
    assert lefts[0] > 0
    assert [await scenario.state(task.answer) for task in tasks] == ["FAILED"] * 5
