"""Limits of turns, and the drain."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.answering.drain import ActiveRequests, background
from gateway.errors import ClientGoneError, DeadlineError, DrainingError

pytestmark = pytest.mark.anyio

FOREVER = 60


async def test_a_turn_has_a_deadline() -> None:
    with pytest.raises(DeadlineError):
        async with ActiveRequests().turn(0.01):
            await asyncio.sleep(FOREVER)


async def test_a_turn_can_be_ended_with_a_cause() -> None:
    with pytest.raises(ClientGoneError):  # noqa: PT012 - raised on leaving
        async with ActiveRequests().turn(FOREVER) as turn:
            turn.end(ClientGoneError)
            await asyncio.sleep(FOREVER)


async def test_a_turn_ends_when_its_client_has_gone() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, str]:
        return next(messages)

    with pytest.raises(ClientGoneError):
        async with ActiveRequests().turn(FOREVER, receive=receive):
            await asyncio.sleep(FOREVER)


async def test_each_of_many_turns_has_its_own_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.answering.drain._LATE", 0.01)
    turns, ended = ActiveRequests(), list[str]()

    async def turn(name: str, seconds: float) -> None:
        with pytest.raises(DeadlineError):
            async with turns.turn(seconds):
                await asyncio.sleep(FOREVER)
        ended.append(name)

    async with asyncio.timeout(5), turns.turn(FOREVER), asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 0.3), ("early", 0.01), ("between", 0.15)):
            tasks.create_task(turn(name, seconds))
    assert ended == ["early", "between", "late"]


async def test_the_first_cause_counts() -> None:
    with pytest.raises(ClientGoneError):  # noqa: PT012 - raised on leaving
        async with ActiveRequests().turn(FOREVER) as turn:
            turn.end(ClientGoneError)
            try:
                await asyncio.sleep(FOREVER)
            finally:
                turn.end(DrainingError)


async def test_ending_a_turn_that_is_over_does_nothing() -> None:
    turn = ActiveRequests().turn(FOREVER)
    turn.end(ClientGoneError)
    async with turn:
        pass
    turn.end(ClientGoneError)


async def test_an_error_of_the_body_is_left_alone() -> None:
    with pytest.raises(TimeoutError):
        async with ActiveRequests().turn(FOREVER):
            raise TimeoutError


async def test_no_turn_begins_while_draining() -> None:
    turns = ActiveRequests()
    turns.drain()
    assert turns.draining
    with pytest.raises(DrainingError):
        async with turns.turn(FOREVER):
            pass


async def test_a_drain_waits_for_running_turns() -> None:
    turns, over = ActiveRequests(), asyncio.Event()
    async with turns.turn(FOREVER):
        turns.drain()
        drained = asyncio.create_task(turns.drained(FOREVER))
        drained.add_done_callback(lambda _: over.set())
        await asyncio.sleep(0)
        assert not over.is_set()
    async with asyncio.timeout(5):
        await over.wait()


async def test_a_drain_waits_no_longer_than_its_limit() -> None:
    turns = ActiveRequests()
    async with turns.turn(FOREVER):
        turns.drain()
        async with asyncio.timeout(5):
            await turns.drained(0.01)


async def test_a_cut_ends_running_turns() -> None:
    turns = ActiveRequests()
    with pytest.raises(DrainingError):  # noqa: PT012 - raised on leaving
        async with turns.turn(FOREVER):
            turns.cut()
            await asyncio.sleep(FOREVER)
    async with asyncio.timeout(5):
        await turns.drained(FOREVER)


async def test_what_is_cut_is_waited_for_until_it_has_ended() -> None:
    turns, over = ActiveRequests(), asyncio.Event()
    with turns.socket(lambda: None):
        turns.cut()
        ended = asyncio.create_task(turns.ended(FOREVER))
        ended.add_done_callback(lambda _: over.set())
        await turns.drained(FOREVER)
        assert not over.is_set()
        await turns.ended(0.01)
    async with asyncio.timeout(5):
        await over.wait()


async def test_a_drain_tells_each_socket_and_waits_for_it() -> None:
    turns, told = ActiveRequests(), list[str]()
    with turns.socket(lambda: told.append("open")):
        turns.drain()
        turns.drain()
        assert told == ["open"]
        with turns.socket(lambda: told.append("late")):
            assert told == ["open", "late"]
        drained = asyncio.create_task(turns.drained(FOREVER))
        await asyncio.sleep(0)
        assert not drained.done()
    async with asyncio.timeout(5):
        await drained


async def test_a_promised_turn_begins_in_a_drain_but_not_after_a_cut() -> None:
    turns, begun = ActiveRequests(), list[str]()
    with turns.socket(lambda: None):
        turns.drain()
        async with turns.turn(FOREVER, promised=True):
            begun.append("in the drain")
        turns.cut()
        with pytest.raises(DrainingError):
            async with turns.turn(FOREVER, promised=True):
                begun.append("after the cut")
    assert begun == ["in the drain"]


async def test_background_work_ends_with_the_body() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(FOREVER)
        finally:
            ended.set()

    async with background(work()):
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_background_work_that_fails_is_logged() -> None:
    async def work() -> None:
        raise RuntimeError("broken")

    with capture_logs() as logs:
        async with background(work()):
            await asyncio.sleep(0)
    assert [entry["event"] for entry in logs] == ["background task failed"]
