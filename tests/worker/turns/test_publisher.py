import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.conditions import SOON, until
from tests.support.redis_client import redis_client
from tests.support.worker.harness import Away, Held, WorkerHarness, report_nothing
from wire import keys
from wire.blocks import Block, BlockKind, Piece, add_piece
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError
from wire.messages import Delta, Event, Final, Replace, apply_to_blocks
from wire.sessions import ClaimedJob
from wire.store_memory import StoreMemory
from worker.errors import UpstreamError
from worker.turns.publisher import Publisher

pytestmark = pytest.mark.anyio


def publisher(harness: WorkerHarness, task: ClaimedJob, patience: float = SOON) -> Publisher:
    return Publisher(harness.sessions, task, patience, report_nothing)


async def appended(harness: WorkerHarness, task: ClaimedJob, count: int) -> list[Event]:
    """Return the answer's events, as soon as there are `count`."""

    async def has_arrived() -> bool:
        return len(await harness.client.so_far(task.answer)) >= count

    await until(has_arrived)
    return await harness.client.so_far(task.answer)


@asynccontextmanager
async def append_in_flight(harness: WorkerHarness, text: str) -> AsyncIterator[tuple[ClaimedJob, Held, Publisher]]:
    """Publish a text whose append is held back on its way to Redis."""
    task, held = await harness.task(), Held()
    harness.client.store.before["append"] = held
    async with publisher(harness, task) as answer:
        answer.update(text)
        await held.waiting.wait()
        yield task, held, answer


async def test_text_is_published_while_it_grows(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        assert not answer.has_begun
        answer.update("one")
        assert answer.has_begun
        assert await appended(harness, task, 1) == [Delta("one")]
        answer.update("one two")
        assert await appended(harness, task, 2) == [Delta("one"), Delta(" two")]
        answer.update("three")
        assert (await appended(harness, task, 3))[2] == Replace("three")
        assert answer.published_text == "three"


async def test_what_comes_while_an_append_is_in_flight_goes_into_the_next(harness: WorkerHarness) -> None:
    async with append_in_flight(harness, "0") as (task, held, answer):
        for number in range(1, 11):
            answer.update("".join(map(str, range(number + 1))))
            await asyncio.sleep(0)
        held.go.set()
        assert await appended(harness, task, 2) == [Delta("0"), Delta("12345678910")]
        assert harness.client.store.calls.count("append") == 2


async def test_a_text_that_came_and_went_meanwhile_is_not_published(harness: WorkerHarness) -> None:
    async with append_in_flight(harness, "one") as (task, held, answer):
        answer.update("never seen")
        answer.update("one two")
        held.go.set()
        assert await appended(harness, task, 2) == [Delta("one"), Delta(" two")]


async def test_half_a_character_at_the_end_is_never_published(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.update("ends \ud83d")
        assert await appended(harness, task, 1) == [Delta("ends ")]
        await answer.finish()
        assert await harness.client.so_far(task.answer) == [Delta("ends ")]


async def test_the_end_waits_for_the_append_in_flight(harness: WorkerHarness) -> None:
    async with append_in_flight(harness, "one") as (task, held, answer):
        answer.update("one two")
        ending = asyncio.create_task(answer.take_rest("one two three"))
        await asyncio.sleep(0)
        held.go.set()
        assert await ending == Delta(" two three")
        assert await harness.client.so_far(task.answer) == [Delta("one")]


async def test_what_arrives_with_the_end_is_left_to_the_end(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.provider, answer.model = "openai", "m"
        answer.update("one")
        assert await answer.take_rest("one two") == Delta("one two", "openai", "m")
        await asyncio.sleep(0)
        assert answer.published_text == "one two"
    assert harness.client.store.calls.count("append") == 0
    async with publisher(harness, task) as answer:
        answer.grow([Piece(0, "reasoning", "hm")])
        answer.grow([CALL])
        assert await answer.take_rest() == Delta("", pieces=(Piece(0, "reasoning", "hm"), CALL))
    assert harness.client.store.calls.count("append") == 0


async def test_pieces_that_came_during_the_last_append_are_left_to_the_end(harness: WorkerHarness) -> None:
    task, held = await harness.task(), Held()
    harness.client.store.before["append"] = held
    async with publisher(harness, task) as answer:
        answer.grow([Piece(0, "text", "one")])
        await held.waiting.wait()
        answer.grow([CALL])
        ending = asyncio.create_task(answer.take_rest())
        await asyncio.sleep(0)
        held.go.set()
        assert await ending == Delta("", pieces=(CALL,))
    assert await harness.client.so_far(task.answer) == [Delta("one")]


CALL = Piece(1, "tool_call", '{"a"', id="c1", name="add", extra={"signature": "x"})
REST = Piece(1, "tool_call", ":1}", extra={"signature": "y"})


async def test_an_answer_in_pieces_is_published_while_it_grows(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.provider, answer.model = "openai", "m"
        answer.grow([Piece(0, "reasoning", "hm")])
        assert answer.has_begun
        first = Delta("", "openai", "m", (Piece(0, "reasoning", "hm"),))
        assert await appended(harness, task, 1) == [first]
        answer.grow([CALL, REST])
        await answer.finish()
        call = Piece(1, "tool_call", '{"a":1}', id="c1", name="add", extra={"signature": "xy"})
        assert await harness.client.so_far(task.answer) == [first, Delta("", pieces=(call,))]


async def test_an_event_that_brings_only_text_has_no_pieces(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.grow([Piece(0, "text", "one"), Piece(0, "text", " two")])
        await appended(harness, task, 1)
        answer.grow([Piece(0, "text", " three"), CALL])
        await appended(harness, task, 2)
        answer.grow([Piece(2, "text", "four")])
        await answer.finish()
        assert answer.published_text == "one two threefour"
    text = (Piece(0, "text", " three"), CALL)
    assert await harness.client.so_far(task.answer) == [
        Delta("one two"),
        Delta(" three", pieces=text),
        Delta("four"),
    ]


async def test_a_second_text_after_a_text_keeps_its_number(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.grow([Piece(0, "text", "one")])
        answer.grow([Piece(1, "text", "two")])
        await answer.finish()
    blocks: list[Block] = []
    for event in await harness.client.so_far(task.answer):
        apply_to_blocks(blocks, event)
    assert blocks == [Block("text", "one"), Block("text", "two")]


@pytest.mark.parametrize("awake", [1, 2, 3])
async def test_however_pieces_meet_appends_the_blocks_are_the_same(harness: WorkerHarness, awake: int) -> None:
    kinds: list[BlockKind] = ["text", "reasoning", "text", "tool_call", "tool_call", "text"]
    pieces = [Piece(number, kind, f"{kind} {part} ") for number, kind in enumerate(kinds) for part in range(3)]
    expected: list[Block] = []
    for piece in pieces:
        add_piece(expected, piece)
    task = await harness.task()
    async with publisher(harness, task) as answer:
        for number, piece in enumerate(pieces):
            answer.grow([piece])
            if number % awake == 0:
                await appended(harness, task, answer.seq + 1)
        await answer.finish()
    blocks: list[Block] = []
    for event in await harness.client.so_far(task.answer):
        apply_to_blocks(blocks, event)
    assert blocks == expected


async def test_nothing_is_appended_after_the_end(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.update("one")
        rest = await answer.take_rest("one two")
        await harness.sessions.finish(task, "DONE", Final("one two"), None, rest=rest)
        await asyncio.sleep(0)
        answer.update("one two three")  # nothing has failed
        await asyncio.sleep(0)
    assert [type(event) for event in await harness.client.events(task.answer)][-1] is Final


async def test_an_answer_without_text_has_no_event(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.update("")
        assert await answer.take_rest("") is None
        assert not answer.has_begun
    assert await harness.client.so_far(task.answer) == []


@pytest.mark.parametrize("lost", ["call", "reply"])
async def test_while_redis_is_away_the_same_event_is_tried_again(harness: WorkerHarness, lost: str) -> None:
    task, away = await harness.task(), Away(2)
    hooks = harness.client.store.before if lost == "call" else harness.client.store.after
    async with publisher(harness, task) as answer:
        answer.update("one")
        await appended(harness, task, 1)
        hooks["append"] = away
        answer.update("one two")
        await until(lambda: away.met > 0)
        answer.update("one two three")
        assert await answer.take_rest("one two three four") == Delta(" three four")
    assert away.met == 2
    assert await harness.client.so_far(task.answer) == [Delta("one"), Delta(" two")]


async def test_a_redis_that_stays_away_is_given_up(harness: WorkerHarness) -> None:
    task = await harness.task()
    harness.client.store.before["append"] = Away()
    async with publisher(harness, task, patience=0.01) as answer:
        answer.update("one")
        with pytest.raises(StoreUnavailableError):
            await answer.finish()


async def test_a_lost_lease_reaches_whoever_shows_or_ends(harness: WorkerHarness) -> None:
    task = await harness.task()
    await harness.sessions.release(task.lease)
    async with publisher(harness, task) as answer:
        answer.update("one")
        with pytest.raises(LeaseLostError):  # noqa: PT012 - the failure comes with one of the next texts
            while True:
                answer.update("one two")
                await asyncio.sleep(0)
        with pytest.raises(LeaseLostError):
            await answer.finish()


async def test_an_ended_answer_reaches_whoever_shows_or_ends(harness: WorkerHarness) -> None:
    task = await harness.task()
    await harness.sessions.finish(task, "STOPPED", Final("", stopped=True), None)
    async with publisher(harness, task) as answer:
        answer.update("one")
        with pytest.raises(AnswerEndedError):  # noqa: PT012 - the failure comes with one of the next texts
            while True:
                answer.update("one two")
                await asyncio.sleep(0)
        with pytest.raises(AnswerEndedError):
            await answer.finish()
    assert await harness.client.so_far(task.answer) == [Final("", stopped=True)]


async def test_the_text_of_an_end_that_was_given_up_is_not_lost(harness: WorkerHarness) -> None:
    task, held = await harness.task(), Held()
    harness.client.store.before["append"] = held
    async with publisher(harness, task) as answer:
        answer.update("one two")
        ending = asyncio.create_task(answer.finish())
        await held.waiting.wait()
        ending.cancel()
        await asyncio.wait([ending])
        held.go.set()
        await answer.finish()
        assert answer.published_text == "one two"
    assert await harness.client.so_far(task.answer) == [Delta("one two")]


async def test_leaving_while_redis_is_away_stops_the_trying(harness: WorkerHarness) -> None:
    task, away = await harness.task(), Away()
    harness.client.store.before["append"] = away
    async with publisher(harness, task) as answer:
        answer.update("one")
        await until(lambda: away.met > 1)
        answer.update("one two")
    met = away.met
    assert not [one for one in asyncio.all_tasks() if "append" in repr(one.get_coro()) or "_again" in repr(one)]
    assert (away.met, answer.seq) == (met, 0)


async def test_leaving_stops_an_append_that_hangs(harness: WorkerHarness) -> None:
    async with append_in_flight(harness, "one") as (task, _, _):
        pass
    assert await harness.client.so_far(task.answer) == []


async def test_an_append_that_meets_lost_events_is_made_once_more_after_a_report(harness: WorkerHarness) -> None:
    task, reports = await harness.task(), 0
    commands: Any = redis_client(harness.client.store)

    async def report() -> None:
        nonlocal reports
        reports += 1
        for seq, event in answer.recent.after(0):
            await harness.sessions.append(task.lease, task.answer, seq, event)

    async with Publisher(harness.sessions, task, SOON, report) as answer:
        for number, text in enumerate(("a", "ab"), 1):
            answer.update(text)
            await appended(harness, task, number)
        await until(lambda: answer.seq == 2)
        before = await commands.xrange(keys.log_key(task.answer))
        await commands.delete(keys.log_key(task.answer))
        answer.update("abc")
        await answer.finish()
    log = await commands.xrange(keys.log_key(task.answer))
    assert (log[:2], len(log), reports) == (before, 3, 1)


async def test_an_append_that_a_report_did_not_help_raises_what_it_met(harness: WorkerHarness) -> None:
    task = await harness.task()
    async with publisher(harness, task) as answer:
        answer.update("a")
        await until(lambda: answer.seq == 1)
        await redis_client(harness.client.store).delete(keys.log_key(task.answer))
        answer.update("ab")
        with pytest.raises(StateLostError):
            await answer.finish()


async def test_an_append_that_could_not_be_reported_in_time_raises(harness: WorkerHarness) -> None:
    task = await harness.task()

    async def report() -> None:
        await asyncio.Event().wait()

    async with Publisher(harness.sessions, task, 0.1, report) as answer:
        answer.update("a")
        await until(lambda: answer.seq == 1)
        await redis_client(harness.client.store).delete(keys.log_key(task.answer))
        answer.update("ab")
        with pytest.raises(StoreUnavailableError):
            await answer.finish()


def leave_room(harness: WorkerHarness, counted: int) -> None:
    """Let so many bytes be kept in all."""
    object.__setattr__(harness.sessions, "memory", StoreMemory(harness.client.store, counted))


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_an_answer_that_takes_too_much_room_ends_with_all_that_was_sent(
    harness: WorkerHarness, in_pieces: bool
) -> None:
    task, parts = await harness.task(), ["x" * 20_000, "y" * 20_000, "z"]
    leave_room(harness, 150_000)
    async with publisher(harness, task) as answer:
        for count, part in enumerate(parts[:2], 1):
            if in_pieces:
                answer.grow((Piece(0, "text", part),))
            else:
                answer.update("".join(parts[:count]))
            await appended(harness, task, count)
        with pytest.raises(UpstreamError, match=r"result\.full"):
            answer.grow((Piece(0, "text", "z"),)) if in_pieces else answer.update("".join(parts))
        await answer.finish()
        assert answer.published_text == "".join(parts[:2])
    assert await harness.client.so_far(task.answer) == [Delta(parts[0]), Delta(parts[1])]


async def test_an_end_without_room_drops_what_is_not_published(harness: WorkerHarness) -> None:
    task = await harness.task()
    leave_room(harness, 150_000)
    async with publisher(harness, task) as answer:
        answer.update("one")
        await appended(harness, task, 1)
        answer.update("one" + "x" * 100_000)
        with pytest.raises(UpstreamError, match=r"result\.full"):
            await answer.make_room(100_003)
        await answer.finish()
        assert len(answer.published_text) in (3, 100_003), "it may be on its way already"
    text = "".join(event.text for event in await harness.client.so_far(task.answer) if isinstance(event, Delta))
    assert text == answer.published_text
