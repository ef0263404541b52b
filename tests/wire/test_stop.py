"""A stop ends an answer once, with the text that its readers have, and leaves the rest to the worker."""

import asyncio

import pytest

from tests.wire.scene import Scene
from wire import keys
from wire.answers import Answers
from wire.connect import Store
from wire.errors import AnswerEndedError, AnswerGoneError
from wire.jobs import Client, new_answer_id
from wire.messages import TERMINAL, Delta, Event, Final, Replace
from wire.sessions import Task

pytestmark = pytest.mark.anyio


def stopped(text: str) -> Final:
    return Final(text, reset=True, stopped=True)


async def test_a_job_that_waits_ends_at_once_and_is_never_taken(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    assert await scene.jobs.stop(asked.answer) == "STOPPED"
    assert await scene.events(asked.answer) == [stopped("")]
    assert await scene.redis.zcard(keys.queued_key()) == 0
    assert await scene.sessions.claim("w1", await scene.hint("w1")) == "nothing"
    assert (await scene.sessions.beat("w1")).stopped == []


async def test_a_stopped_job_makes_way_for_the_next(scene: Scene) -> None:
    await scene.hire("w1")
    first = await scene.ask("first")
    second = await scene.ask("second", first.token)
    await scene.jobs.stop(first.answer)
    assert (await scene.take("w1")).answer == second.answer


async def test_a_job_that_was_claimed_is_not_sent_after_a_stop(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.take("w1")
    assert await scene.jobs.stop(task.answer) == "STOPPED"
    assert (await scene.sessions.beat("w1")).stopped == [task.answer]
    with pytest.raises(AnswerEndedError):
        await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    assert await scene.events(task.answer) == [stopped("")]


async def test_a_question_that_is_out_ends_with_empty_text(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.sent("w1")
    assert await scene.jobs.stop(task.answer) == "STOPPED"
    with pytest.raises(AnswerEndedError):
        await scene.sessions.append(task, 1, Delta("late"))
    assert await scene.events(task.answer) == [stopped("")]


async def test_an_answer_that_streams_ends_with_the_text_that_its_readers_have(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.sent("w1")
    events: list[Event] = [Delta("looking"), Replace("天空"), Delta(' is "blue"')]
    for seq, event in enumerate(events, 1):
        await scene.sessions.append(task, seq, event)
    assert await scene.jobs.stop(task.answer) == "STOPPED"
    assert await scene.events(task.answer) == [*events, stopped('天空 is "blue"')]


@pytest.mark.parametrize("text", ["\0\x1f\x7f", '\\/"{}[]', "𝄞 天空\u2028", "%s %1 \\u0000", ""])
async def test_the_text_of_a_stopped_answer_is_unchanged(scene: Scene, text: str) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.sent("w1")
    await scene.sessions.append(task, 1, Delta(text))
    await scene.sessions.append(task, 2, Delta(text))
    await scene.jobs.stop(task.answer)
    assert (await scene.events(task.answer))[-1] == stopped(text * 2)


@pytest.mark.parametrize("end", ["DONE", "FAILED"])
async def test_an_answer_that_has_ended_stays_as_it_is(scene: Scene, end: str) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    if end == "DONE":
        await scene.finish(await scene.sent("w1"))
    else:
        await scene.jobs.expire(asked.answer)
    before = await scene.events(asked.answer)
    assert await scene.jobs.stop(asked.answer) == end
    assert await scene.events(asked.answer) == before
    assert (await scene.sessions.beat("w1")).stopped == []


async def test_a_second_stop_changes_nothing(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.sent("w1")
    await scene.sessions.append(task, 1, Delta("a"))
    assert [await scene.jobs.stop(task.answer) for _ in range(3)] == ["STOPPED"] * 3
    assert await scene.events(task.answer) == [Delta("a"), stopped("a")]


async def test_an_unknown_answer_cannot_be_stopped(scene: Scene) -> None:
    with pytest.raises(AnswerGoneError):
        await scene.jobs.stop(new_answer_id())
    assert await scene.names() == set()


async def test_only_its_holder_can_stop_an_answer_or_look_at_it(scene: Scene, store: Store) -> None:
    asked = await scene.ask(client=Client("key:alice", "alice"))
    for holder in ("", "bob"):
        with pytest.raises(AnswerGoneError):
            await scene.jobs.stop(asked.answer, holder)
        with pytest.raises(AnswerGoneError):
            await Answers(store).progress(asked.answer, holder)
        with pytest.raises(AnswerGoneError):
            await Answers(store).token(asked.answer, holder)
    assert (await Answers(store).progress(asked.answer, "alice")).state == "queued"
    assert await scene.jobs.stop(asked.answer, "alice") == "STOPPED"


async def test_the_worker_is_told_with_each_beat_until_it_has_finished(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    await scene.ask()
    task = await scene.sent("w1")
    await scene.jobs.stop(task.answer)
    assert (await scene.sessions.beat("w2")).stopped == []
    assert [(await scene.sessions.beat("w1")).stopped for _ in range(2)] == [[task.answer]] * 2
    assert 0 < await scene.redis.ttl(keys.stops_key("w1")) <= scene.limits.answer_ttl
    await scene.finish(task, session=None)
    assert (await scene.sessions.beat("w1")).stopped == []
    assert await scene.redis.exists(keys.stops_key("w1")) == 0


async def test_finishing_a_stopped_turn_adds_no_event_and_hands_out_the_next_job(scene: Scene) -> None:
    await scene.hire("w1")
    first = await scene.ask("first")
    second = await scene.ask("second", first.token)
    task = await scene.sent("w1")
    await scene.sessions.append(task, 1, Delta("a"))
    await scene.jobs.stop(first.answer)
    following = await scene.finish(task, "never written", session=None)
    assert following is not None
    assert (following.answer, following.session, following.sent) == (second.answer, None, 0)
    assert await scene.events(first.answer) == [Delta("a"), stopped("a")]


async def test_a_stop_amid_appends_ends_once_with_what_was_appended(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.sent("w1")

    async def stream() -> int:
        for seq in range(1, 2000):
            try:
                await scene.sessions.append(task, seq, Delta(f"{seq} "))
            except AnswerEndedError:
                return seq - 1
        raise AssertionError("never stopped")

    async def stop() -> str:
        while len(await Answers(scene.store).read(task.answer)) < 20:  # noqa: ASYNC110 - the condition is Redis's
            await asyncio.sleep(0)
        return await scene.jobs.stop(task.answer)

    appended, state = await asyncio.gather(stream(), stop())
    assert state == "STOPPED"
    *deltas, last = await scene.events(task.answer)
    assert len(deltas) == appended
    assert last == stopped("".join(f"{seq} " for seq in range(1, appended + 1)))


async def test_stops_and_a_finish_at_the_same_time_write_one_end(scene: Scene) -> None:
    await scene.hire("w1")
    for number in range(20):
        await scene.ask(str(number))
        task = await scene.sent("w1")
        await scene.sessions.append(task, 1, Delta("a"))
        _, *states = await asyncio.gather(
            scene.finish(task, "a"), scene.jobs.stop(task.answer), scene.jobs.stop(task.answer)
        )
        events = await scene.events(task.answer)
        assert [isinstance(event, TERMINAL) for event in events] == [False, True]
        assert set(states) == {await scene.state(task.answer)}
        assert (await scene.sessions.beat("w1")).stopped == []


async def test_whoever_takes_over_a_stopped_turn_starts_afresh(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask("first")
    await scene.finish(await scene.sent("w1"))
    await scene.ask("second", asked.token)
    task = await scene.sent("w1")
    await scene.jobs.stop(task.answer)
    await scene.kill("w1")
    third = await scene.ask("third", asked.token)
    taken = await scene.take("w2")
    assert isinstance(taken, Task)
    assert (taken.answer, taken.session) == (third.answer, None)
    assert await scene.events(task.answer) == [stopped("")]


async def test_a_dead_workers_flags_go_with_it(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    await scene.ask()
    task = await scene.sent("w1")
    await scene.jobs.stop(task.answer)
    await scene.kill("w1")
    assert await scene.sessions.reap("w2", "w1") == 0
    assert await scene.redis.exists(keys.stops_key("w1")) == 0
    assert await scene.events(task.answer) == [stopped("")]


# How far an answer has come


async def test_progress_goes_from_queued_to_its_end(scene: Scene, store: Store) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    answers = Answers(store)
    waits = await answers.progress(asked.answer)
    assert (waits.state, waits.seq, waits.text, waits.end, waits.token) == ("queued", 0, "", None, asked.token)
    task = await scene.take("w1")
    assert (await answers.progress(asked.answer)).state == "running"
    await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    await scene.sessions.append(task, 1, Delta("a"))
    runs = await answers.progress(asked.answer)
    assert (runs.state, runs.seq, runs.text, runs.end) == ("running", 1, "a", None)
    await scene.finish(task, "ab")
    done = await answers.progress(asked.answer)
    assert (done.state, done.seq, done.text, done.end) == ("done", 2, "ab", Final("ab"))


async def test_progress_names_the_kind_of_end(scene: Scene, store: Store) -> None:
    expired, ended = await scene.ask(), await scene.ask()
    await scene.jobs.expire(expired.answer)
    await scene.jobs.stop(ended.answer)
    assert (await Answers(store).progress(expired.answer)).state == "failed"
    assert (await Answers(store).progress(ended.answer)).state == "stopped"


async def test_progress_of_a_long_answer_is_whole(scene: Scene, store: Store) -> None:
    await scene.answered("s0-a", "token", 1200)
    found = await Answers(store).progress("s0-a")
    assert (found.seq, found.text, found.state) == (1201, "whole", "done")


async def test_there_is_no_progress_without_an_answer_or_its_log(scene: Scene, store: Store) -> None:
    with pytest.raises(AnswerGoneError):
        await Answers(store).progress(new_answer_id())
    await scene.answered("s0-a", "token", 2)
    await scene.redis.delete(keys.log_key("s0-a"))
    with pytest.raises(AnswerGoneError):
        await Answers(store).progress("s0-a")


async def test_a_stopped_questions_conversation_is_not_gone_on_with(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    waiting = await scene.ask("second", asked.token)
    await scene.jobs.stop(asked.answer)
    following = await scene.finish(task, session=b'"completed in the same instant"')
    assert following is not None
    assert (following.answer, following.session, following.sent) == (waiting.answer, None, 0)


async def test_an_operator_may_stop_anybodys_answer(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask(client=Client("key:alice", "alice"))
    with pytest.raises(AnswerGoneError):
        await scene.jobs.stop(asked.answer)
    assert await scene.jobs.stop(asked.answer, holder=None) == "STOPPED"
    with pytest.raises(AnswerGoneError):
        await scene.jobs.stop(new_answer_id(), holder=None)
