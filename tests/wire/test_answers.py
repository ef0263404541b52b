"""What is known of an answer: its token, its work, its progress, its place in the queue, its readers."""

import asyncio
import time

import pytest

from tests.support.wire.scenario import Asked, Scenario
from wire import keys
from wire.about import describe
from wire.answers import Answers, QueuePosition
from wire.errors import AnswerNotFoundError, ClientFullError
from wire.jobs import Client, new_answer_id
from wire.messages import Chat, Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def read_all(answers: Answers, answer: str) -> None:
    async with asyncio.timeout(10), answers.follow(answer) as entries:
        async for _ in entries:
            pass


async def waiting(scenario: Scenario, count: int) -> list[Asked]:
    """Questions of as many conversations, each accepted a millisecond after the one before."""
    questions = [await scenario.ask() for _ in range(count)]
    now = (await scenario.redis.time())[0] * 1000
    await scenario.redis.zadd(keys.queued_key(), {question.answer: now + n for n, question in enumerate(questions)})
    return questions


async def test_ends_are_counted_once_for_each_reader_that_gets_there(scenario: Scenario, answers: Answers) -> None:
    await scenario.answered("s0-a", "token", 3)
    async with asyncio.timeout(5), answers.follow("s0-a") as entries:
        await anext(entries)
    assert answers.outcome_counts.total() == 0
    for _ in range(2):
        await read_all(answers, "s0-a")
    assert answers.outcome_counts == {"done": 2}


async def test_what_is_followed_by_several_is_one(scenario: Scenario, answers: Answers) -> None:
    async with answers.follow("s0-a"), answers.follow("s0-a"), answers.follow("s0-b"):
        assert answers.followed_count == 2
    assert answers.followed_count == 0


@pytest.mark.parametrize("size", [10, 40_000])
async def test_readers_find_a_long_end_in_the_log(scenario: Scenario, answers: Answers, size: int) -> None:
    await scenario.hire("w1")
    question, text = await scenario.ask(), "x" * size
    async with (
        asyncio.timeout(10),
        scenario.redis.pubsub() as channel,
        answers.follow(question.answer, early=True) as entries,
    ):
        await channel.subscribe(keys.channel(question.answer))
        task = await scenario.sent("w1")
        await scenario.sessions.finish(task, "DONE", Final(text), None, rest=Delta(text))
        assert [(entry.seq, entry.event) async for entry in entries] == [(1, Delta(text)), (2, Final(text))]
        published = [message["data"] for _ in range(3) if (message := await channel.get_message(timeout=5))]
    assert published[0] == 1
    assert published[1].startswith(b"1 {")
    assert (published[2] == b"3 ") == (size > 32_768)


async def test_an_answer_knows_its_token(scenario: Scenario, answers: Answers) -> None:
    question = await scenario.ask()
    assert await answers.read_token(question.answer) == question.token
    with pytest.raises(AnswerNotFoundError):
        await answers.read_token("s0-none")


async def test_an_answer_knows_what_was_asked_and_when_but_only_for_who_asked(
    scenario: Scenario, answers: Answers
) -> None:
    before = time.time() - 1
    question = await scenario.ask("why?", client=Client("key:alice", "alice"))
    job = await answers.read_job(question.answer, "alice")
    assert (job.token, job.about) == (question.token, describe(Chat("balanced", "why?")))
    assert before < job.accepted < time.time() + 1
    for answer, holder in ((question.answer, ""), (question.answer, "bob"), (new_answer_id(), "alice")):
        with pytest.raises(AnswerNotFoundError):
            await answers.read_job(answer, holder)


async def test_an_answers_progress_names_the_provider_as_soon_as_an_event_does(
    scenario: Scenario, answers: Answers
) -> None:
    await scenario.settle()
    await scenario.hire("w1")
    question = await scenario.ask()
    assert (await answers.read_progress(question.answer)).provider == ""
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("a", provider="p"))
    await scenario.append(task, 2, Delta("b"))
    assert (await answers.read_progress(question.answer)).provider == "p"


async def test_an_answers_events_are_read_once_its_size_is_admitted(scenario: Scenario, answers: Answers) -> None:
    admitted = list[int]()

    async def admit(size: int) -> None:
        admitted.append(size)
        if size > 1_000_000:
            raise ClientFullError(1)

    await scenario.hire("w1")
    question = await scenario.ask()
    await answers.read_progress(question.answer, admit=admit)
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("a"))
    assert await scenario.sessions.count_growth(question.answer, 500_000)
    assert (await answers.read_progress(question.answer, admit=admit)).text == "a"
    await scenario.finish(task, "a" * 1_000_000)
    with pytest.raises(ClientFullError):
        await answers.read_progress(question.answer, admit=admit)
    assert admitted[:2] == [0, 500_000]
    assert len(admitted) == 3


async def test_a_question_that_waits_has_a_place_until_it_is_taken(scenario: Scenario, store: Store) -> None:
    answers = Answers(store)
    await scenario.hire("w1")
    first, second, third = await waiting(scenario, 3)
    at = (await scenario.redis.time())[0] * 1000
    await scenario.redis.hset(keys.rate_key(), mapping={"at": at, "gap": 7000})
    assert [await answers.read_position(question.answer) for question in (first, second, third)] == [
        QueuePosition(1, 7),
        QueuePosition(2, 14),
        QueuePosition(3, 21),
    ]
    await scenario.jobs.stop(second.answer)
    assert await answers.read_position(third.answer) == QueuePosition(2, 14)
    assert (await scenario.take("w1")).answer == first.answer
    assert await answers.read_position(third.answer) == QueuePosition(1, 7)
    for answer in (first.answer, second.answer, new_answer_id()):
        assert await answers.read_position(answer) is None


async def test_progress_shows_the_place_while_there_is_one(scenario: Scenario, store: Store) -> None:
    answers = Answers(store)
    await scenario.hire("w1")
    _, question = await waiting(scenario, 2)
    progress = await answers.read_progress(question.answer)
    assert (progress.state, progress.position) == ("queued", QueuePosition(2, 10))
    await scenario.turns("w1")
    progress = await answers.read_progress(question.answer)
    assert (progress.state, progress.position) == ("running", None)
