"""A stop ends an answer once, with the text that its readers have, and leaves the rest to the worker."""

import asyncio
from typing import Any

import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.answers import Answers
from wire.errors import AnswerEndedError, AnswerNotFoundError
from wire.jobs import Client, new_answer_id
from wire.messages import TERMINAL, Delta, Event, Final, HistoryMessage, Replace
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.sessions import ClaimedJob, StatelessSession

pytestmark = pytest.mark.anyio


def stopped(text: str) -> Final:
    return Final(text, reset=True, stopped=True)


async def test_a_job_that_waits_ends_at_once_and_is_never_taken(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    assert await scenario.jobs.stop(question.answer) == "STOPPED"
    assert await scenario.events(question.answer) == [stopped("")]
    assert await scenario.redis.zcard(keys.queued_key()) == 0
    assert await scenario.take_all("w1") == []
    assert (await scenario.sessions.beat("w1")).stopped_answers == []


async def test_a_stopped_job_makes_way_for_the_next(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first = await scenario.ask("first")
    second = await scenario.ask("second", first.token)
    await scenario.jobs.stop(first.answer)
    assert (await scenario.take("w1")).answer == second.answer


async def test_a_job_that_was_claimed_is_not_sent_after_a_stop(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.take("w1")
    assert await scenario.jobs.stop(task.answer) == "STOPPED"
    assert (await scenario.sessions.beat("w1")).stopped_answers == [task.answer]
    with pytest.raises(AnswerEndedError):
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    assert await scenario.events(task.answer) == [stopped("")]


async def test_a_question_that_is_out_ends_with_empty_text(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.sent("w1")
    assert await scenario.jobs.stop(task.answer) == "STOPPED"
    with pytest.raises(AnswerEndedError):
        await scenario.append(task, 1, Delta("late"))
    assert await scenario.events(task.answer) == [stopped("")]


async def test_an_answer_that_streams_ends_with_the_text_that_its_readers_have(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.sent("w1")
    events: list[Event] = [Delta("looking"), Replace("天空"), Delta(' is "blue"')]
    for seq, event in enumerate(events, 1):
        await scenario.append(task, seq, event)
    assert await scenario.jobs.stop(task.answer) == "STOPPED"
    assert await scenario.events(task.answer) == [*events, stopped('天空 is "blue"')]


async def test_what_a_stopped_answer_takes_is_counted(scenario: Scenario) -> None:
    await scenario.hire("w1")
    logs: list[list[Event]] = [[Delta("one"), Delta(" two")], [Delta("one"), Replace("two")], []]
    for events in logs:
        await scenario.ask()
        task = await scenario.sent("w1")
        for seq, event in enumerate(events, 1):
            await scenario.append(task, seq, event)
        await scenario.jobs.stop(task.answer)
        log = [entry[b"e"] for _, entry in await scenario.redis.xrange(keys.log_key(task.answer))]
        about = await scenario.redis.hget(keys.job_key(task.answer), "about")
        counted = await scenario.redis.hget(keys.sizes_key(), task.answer)
        assert int(counted.split()[0]) == 1024 + 40 * len(log) + sum(map(len, log)) + len(about)


async def test_long_answers_are_stopped_one_after_the_other(store_url: str) -> None:
    """Each holds Redis up, and those of a client that leaves with all of its questions come at once."""
    store = _StopCounter(store_url)
    scenario = Scenario(store)
    await scenario.hire("w1")
    answers: list[str] = []
    for _ in range(5):
        await scenario.ask()
        task = await scenario.sent("w1")
        await scenario.append(task, 1, Delta("a"))
        await scenario.lengthen(task, Delta("a"), 1001)
        answers.append(task.answer)
    await asyncio.gather(*map(scenario.jobs.stop, answers))
    assert store.most == 1
    assert {(await Answers(store).read_progress(answer)).text for answer in answers} == {"a" * 1001}
    await store.close()


class _StopCounter(Store):
    """A store that counts how many stops are on their way at once."""

    running = most = 0

    async def run_confirmed(self, script: str, key: str, *args: Argument) -> Any:
        self.running += script == "stop"
        self.most = max(self.most, self.running)
        try:
            return await super().run_confirmed(script, key, *args)
        finally:
            self.running -= script == "stop"


@pytest.mark.parametrize("text", ["\0\x1f\x7f", '\\/"{}[]', "𝄞 天空\u2028", "%s %1 \\u0000", ""])
async def test_the_text_of_a_stopped_answer_is_unchanged(scenario: Scenario, text: str) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta(text))
    await scenario.append(task, 2, Delta(text))
    await scenario.jobs.stop(task.answer)
    assert (await scenario.events(task.answer))[-1] == stopped(text * 2)


@pytest.mark.parametrize("end", ["DONE", "FAILED"])
async def test_an_answer_that_has_ended_stays_as_it_is(scenario: Scenario, end: str) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    if end == "DONE":
        await scenario.finish(await scenario.sent("w1"))
    else:
        await scenario.jobs.expire(question.answer)
    before = await scenario.events(question.answer)
    assert await scenario.jobs.stop(question.answer) == end
    assert await scenario.events(question.answer) == before
    assert (await scenario.sessions.beat("w1")).stopped_answers == []


async def test_a_second_stop_changes_nothing(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("a"))
    assert [await scenario.jobs.stop(task.answer) for _ in range(3)] == ["STOPPED"] * 3
    assert await scenario.events(task.answer) == [Delta("a"), stopped("a")]


async def test_an_unknown_answer_cannot_be_stopped(scenario: Scenario) -> None:
    with pytest.raises(AnswerNotFoundError):
        await scenario.jobs.stop(new_answer_id())
    assert await scenario.names() == set()


async def test_only_its_holder_can_stop_an_answer_or_look_at_it(scenario: Scenario, store: Store) -> None:
    question = await scenario.ask(client=Client("key:alice", "alice"))
    for holder in ("", "bob"):
        with pytest.raises(AnswerNotFoundError):
            await scenario.jobs.stop(question.answer, holder)
        with pytest.raises(AnswerNotFoundError):
            await Answers(store).read_progress(question.answer, holder)
        with pytest.raises(AnswerNotFoundError):
            await Answers(store).read_token(question.answer, holder)
    assert (await Answers(store).read_progress(question.answer, "alice")).state == "queued"
    assert await scenario.jobs.stop(question.answer, "alice") == "STOPPED"


async def test_the_worker_gets_the_stop_with_each_beat_until_it_has_finished(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.jobs.stop(task.answer)
    assert (await scenario.sessions.beat("w2")).stopped_answers == []
    assert [(await scenario.sessions.beat("w1")).stopped_answers for _ in range(2)] == [[task.answer]] * 2
    assert 0 < await scenario.redis.ttl(keys.stops_key("w1")) <= scenario.limits.answer_ttl
    await scenario.finish(task, session=None)
    assert (await scenario.sessions.beat("w1")).stopped_answers == []
    assert await scenario.redis.exists(keys.stops_key("w1")) == 0


async def test_finishing_a_stopped_turn_adds_no_event_and_hands_out_the_next_job(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first = await scenario.ask("first")
    second = await scenario.ask("second", first.token)
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("a"))
    await scenario.jobs.stop(first.answer)
    assert await scenario.finish(task, "never written", session=None)
    following = await scenario.take("w1")
    assert (following.answer, following.session, following.sent) == (second.answer, None, 0)
    assert await scenario.events(first.answer) == [Delta("a"), stopped("a")]


async def test_a_stop_amid_appends_ends_once_with_what_was_appended(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.sent("w1")

    async def stream() -> int:
        for seq in range(1, 2000):
            try:
                await scenario.append(task, seq, Delta(f"{seq} "))
            except AnswerEndedError:
                return seq - 1
        raise AssertionError("never stopped")

    async def stop() -> str:
        while len((await Answers(scenario.store).read(task.answer)).events) < 20:  # noqa: ASYNC110 - Redis's condition
            await asyncio.sleep(0)
        return await scenario.jobs.stop(task.answer)

    appended, state = await asyncio.gather(stream(), stop())
    assert state == "STOPPED"
    *deltas, last = await scenario.events(task.answer)
    assert len(deltas) == appended
    assert last == stopped("".join(f"{seq} " for seq in range(1, appended + 1)))


async def test_stops_and_a_finish_at_the_same_time_write_one_end(scenario: Scenario) -> None:
    await scenario.hire("w1")
    for number in range(20):
        await scenario.ask(str(number))
        task = await scenario.sent("w1")
        await scenario.append(task, 1, Delta("a"))
        _, *states = await asyncio.gather(
            scenario.finish(task, "a"), scenario.jobs.stop(task.answer), scenario.jobs.stop(task.answer)
        )
        events = await scenario.events(task.answer)
        assert [isinstance(event, TERMINAL) for event in events] == [False, True]
        assert set(states) == {await scenario.state(task.answer)}
        assert (await scenario.sessions.beat("w1")).stopped_answers == []


async def test_whoever_takes_over_a_stopped_turn_starts_afresh(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask("first")
    await scenario.finish(await scenario.sent("w1"))
    await scenario.ask("second", question.token)
    task = await scenario.sent("w1")
    await scenario.jobs.stop(task.answer)
    await scenario.kill("w1")
    third = await scenario.ask("third", question.token)
    await scenario.sessions.reap("w2", "w1")
    claimed = await scenario.take("w2")
    assert (claimed.answer, claimed.session) == (third.answer, None)
    assert await scenario.events(task.answer) == [stopped("")]


async def test_a_dead_workers_flags_go_with_it(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.jobs.stop(task.answer)
    await scenario.kill("w1")
    assert await scenario.sessions.reap("w2", "w1") == 0
    assert await scenario.redis.exists(keys.stops_key("w1")) == 0
    assert await scenario.events(task.answer) == [stopped("")]


# How far an answer has come


async def test_progress_goes_from_queued_to_its_end(scenario: Scenario, store: Store) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    answers = Answers(store)
    waits = await answers.read_progress(question.answer)
    assert (waits.state, waits.seq, waits.text, waits.end, waits.token) == ("queued", 0, "", None, question.token)
    task = await scenario.take("w1")
    assert (await answers.read_progress(question.answer)).state == "running"
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.append(task, 1, Delta("a"))
    runs = await answers.read_progress(question.answer)
    assert (runs.state, runs.seq, runs.text, runs.end) == ("running", 1, "a", None)
    await scenario.finish(task, "ab")
    done = await answers.read_progress(question.answer)
    assert (done.state, done.seq, done.text, done.end) == ("done", 2, "ab", Final("ab"))


async def test_progress_names_the_kind_of_end(scenario: Scenario, store: Store) -> None:
    expired, ended = await scenario.ask(), await scenario.ask()
    await scenario.jobs.expire(expired.answer)
    await scenario.jobs.stop(ended.answer)
    assert (await Answers(store).read_progress(expired.answer)).state == "failed"
    assert (await Answers(store).read_progress(ended.answer)).state == "stopped"


async def test_progress_of_a_long_answer_is_whole(scenario: Scenario, store: Store) -> None:
    await scenario.answered("s0-a", "token", 1200)
    progress = await Answers(store).read_progress("s0-a")
    assert (progress.seq, progress.text, progress.state) == (1201, "whole", "done")


async def test_there_is_no_progress_without_an_answer_or_its_log(scenario: Scenario, store: Store) -> None:
    with pytest.raises(AnswerNotFoundError):
        await Answers(store).read_progress(new_answer_id())
    await scenario.answered("s0-a", "token", 2)
    await scenario.redis.delete(keys.log_key("s0-a"))
    with pytest.raises(AnswerNotFoundError):
        await Answers(store).read_progress("s0-a")


async def test_a_stopped_questions_conversation_is_not_continued(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    waiting = await scenario.ask("second", question.token)
    await scenario.jobs.stop(question.answer)
    await scenario.finish(task, session=b'"completed in the same instant"')
    following = await scenario.take("w1")
    assert (following.answer, following.session, following.sent) == (waiting.answer, None, 0)


async def test_an_operator_may_stop_anybodys_answer(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask(client=Client("key:alice", "alice"))
    with pytest.raises(AnswerNotFoundError):
        await scenario.jobs.stop(question.answer)
    assert await scenario.jobs.stop(question.answer, holder=None) == "STOPPED"
    with pytest.raises(AnswerNotFoundError):
        await scenario.jobs.stop(new_answer_id(), holder=None)


def bare(session: str, *, begins: bool = False) -> StatelessSession:
    return StatelessSession(session.encode(), begins)


async def out_where_nothing_is_remembered(scenario: Scenario, begins: bool = True) -> ClaimedJob:
    """Mark a question as sent at an upstream that keeps no conversations."""
    task = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, task.sent + 1, fresh=True, stateless=bare("kept", begins=begins))
    return task


async def spoken(scenario: Scenario, token: str) -> list[str]:
    return [message.text for message in (await scenario.sessions.read_transcript(token)).messages]


async def test_a_stop_keeps_a_conversation_that_the_upstream_does_not_remember(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first = await scenario.ask("first")
    task = await out_where_nothing_is_remembered(scenario)
    await scenario.append(task, 1, Delta("so "))
    await scenario.append(task, 2, Delta("far"))
    await scenario.jobs.stop(first.answer)
    assert (await scenario.events(first.answer))[-1] == Final("so far", reset=False, stopped=True)
    # What the worker has got beyond that was sent to nobody.
    exchange = (HistoryMessage("user", "first"), HistoryMessage("assistant", "so far and more"))
    await scenario.sessions.finish(task, "DONE", Final("so far and more"), b"kept", exchange=exchange, begins=True)
    assert await spoken(scenario, first.token) == ["first", "so far"]
    await scenario.ask("second", first.token)
    following = await scenario.take("w1")
    assert (following.session, following.sent, following.reset) == (b"kept", 1, False)


async def test_a_stop_by_the_version_before_resets_as_it_says(scenario: Scenario) -> None:
    """Its event reports a reset, whatever the mark allows: so the conversation is dropped."""
    await scenario.hire("w1")
    first = await scenario.ask("first")
    task = await out_where_nothing_is_remembered(scenario)
    await scenario.append(task, 1, Delta("so far"))
    await scenario.redis.hdel(keys.job_key(first.answer), "stateless")
    await scenario.jobs.stop(first.answer)
    assert (await scenario.events(first.answer))[-1] == stopped("so far")
    await scenario.sessions.finish(task, "STOPPED", stopped(""), b"kept")
    assert await spoken(scenario, first.token) == []
    await scenario.ask("second", first.token)
    assert (await scenario.take("w1")).session is None


async def test_a_stop_of_what_a_worker_of_the_version_before_sent_resets(scenario: Scenario) -> None:
    """Its mark says nothing of what the upstream remembers, and leaves what a newer worker's mark before said."""
    await scenario.hire("w1")
    first = await scenario.ask("first")
    await scenario.finish(await out_where_nothing_is_remembered(scenario), "one", b"kept")
    second = await scenario.ask("second", first.token)
    task = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, task.sent + 1, fresh=False)
    await scenario.redis.hset(keys.token_key(first.token), "stateless", "1")
    await scenario.append(task, 1, Delta("so far"))
    await scenario.jobs.stop(second.answer)
    assert (await scenario.events(second.answer))[-1] == stopped("so far")


async def test_a_waiting_question_is_stopped_without_a_reset_where_nothing_is_remembered(
    scenario: Scenario,
) -> None:
    await scenario.hire("w1")
    first = await scenario.ask("first")
    task = await out_where_nothing_is_remembered(scenario)
    await scenario.finish(task, "one", b"kept")
    second = await scenario.ask("second", first.token)
    await scenario.jobs.stop(second.answer)
    assert await scenario.events(second.answer) == [Final("", reset=False, stopped=True)]


async def test_after_a_refusal_a_stop_resets_as_it_says(scenario: Scenario) -> None:
    """The next attempt might be at an upstream that remembers."""
    await scenario.hire("w1")
    first = await scenario.ask("first")
    task = await out_where_nothing_is_remembered(scenario)
    await scenario.sessions.record_refusal(task, 1)
    await scenario.jobs.stop(first.answer)
    assert await scenario.events(first.answer) == [stopped("")]
    await scenario.sessions.finish(task, "STOPPED", stopped(""), b"kept")
    await scenario.ask("second", first.token)
    assert (await scenario.take("w1")).session is None
