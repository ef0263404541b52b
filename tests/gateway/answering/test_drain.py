"""Limits of turns, and the drain."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gateway.answering.drain import ActiveRequests, background
from gateway.errors import ClientGoneError, DeadlineError, DrainingError

pytestmark = pytest.mark.anyio

FOREVER = 60


async def test_a_turn_has_a_deadline() -> None:
    with pytest.raises(DeadlineError):
        async with ActiveRequests().track(0.01):
            await asyncio.sleep(FOREVER)


async def test_a_turn_can_be_ended_with_a_cause() -> None:
    with pytest.raises(ClientGoneError):  # noqa: PT012 - raised on leaving
        async with ActiveRequests().track(FOREVER) as turn:
            turn.abort(ClientGoneError)
            await asyncio.sleep(FOREVER)


async def test_a_turn_ends_when_its_client_has_gone() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, str]:
        return next(messages)

    with pytest.raises(ClientGoneError):
        async with ActiveRequests().track(FOREVER, receive=receive):
            await asyncio.sleep(FOREVER)


class Response:
    """The server's side of a request, which calls when its client leaves."""

    def __init__(self, *, disconnected: bool = False, more_body: bool = False) -> None:
        self.more_body = more_body
        self.disconnected = disconnected
        self.on_disconnect: Callable[[], None] | None = None

    async def receive(self) -> dict[str, str]:
        return {"type": "http.disconnect"}


async def test_a_server_that_calls_ends_the_turn_of_a_client_that_leaves() -> None:
    response, left = Response(), list[str]()
    with pytest.raises(ClientGoneError):  # noqa: PT012 - raised on leaving
        async with ActiveRequests().track(FOREVER, receive=response.receive, on_hang_up=lambda: left.append("left")):
            assert response.on_disconnect is not None
            response.on_disconnect()
            await asyncio.sleep(FOREVER)
    assert (left, response.on_disconnect) == (["left"], None)


@pytest.mark.parametrize("response", [Response(disconnected=True), Response(more_body=True)])
async def test_a_client_that_left_before_or_amid_its_body_ends_the_turn(response: Response) -> None:
    with pytest.raises(ClientGoneError):
        async with ActiveRequests().track(FOREVER, receive=response.receive):
            await asyncio.sleep(FOREVER)


async def test_a_client_that_leaves_after_the_turn_has_not_left_it() -> None:
    response, left = Response(), list[str]()
    async with ActiveRequests().track(FOREVER, receive=response.receive, on_hang_up=lambda: left.append("left")):
        hang_up = response.on_disconnect
    assert hang_up is not None
    hang_up()
    assert left == []


async def test_each_of_many_turns_has_its_own_deadline() -> None:
    active_requests, ended = ActiveRequests(timer_resolution=0.01), list[str]()

    async def turn(name: str, seconds: float) -> None:
        with pytest.raises(DeadlineError):
            async with active_requests.track(seconds):
                await asyncio.sleep(FOREVER)
        ended.append(name)

    async with asyncio.timeout(5), active_requests.track(FOREVER), asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 0.3), ("early", 0.01), ("between", 0.15)):
            tasks.create_task(turn(name, seconds))
    assert ended == ["early", "between", "late"]


async def test_the_first_cause_counts() -> None:
    with pytest.raises(ClientGoneError):  # noqa: PT012 - raised on leaving
        async with ActiveRequests().track(FOREVER) as turn:
            turn.abort(ClientGoneError)
            try:
                await asyncio.sleep(FOREVER)
            finally:
                turn.abort(DrainingError)


async def test_ending_a_turn_that_is_over_does_nothing() -> None:
    turn = ActiveRequests().track(FOREVER)
    turn.abort(ClientGoneError)
    async with turn:
        pass
    turn.abort(ClientGoneError)


async def test_an_error_of_the_body_is_left_alone() -> None:
    with pytest.raises(TimeoutError):
        async with ActiveRequests().track(FOREVER):
            raise TimeoutError


async def test_no_turn_begins_while_draining() -> None:
    active_requests = ActiveRequests()
    active_requests.drain()
    assert active_requests.draining
    with pytest.raises(DrainingError):
        async with active_requests.track(FOREVER):
            pass


async def test_a_drain_waits_for_running_turns() -> None:
    active_requests, over = ActiveRequests(), asyncio.Event()
    async with active_requests.track(FOREVER):
        active_requests.drain()
        drained = asyncio.create_task(active_requests.wait_drained(FOREVER))
        drained.add_done_callback(lambda _: over.set())
        await asyncio.sleep(0)
        assert not over.is_set()
    async with asyncio.timeout(5):
        await over.wait()


async def test_a_drain_waits_no_longer_than_its_limit() -> None:
    active_requests = ActiveRequests()
    async with active_requests.track(FOREVER):
        active_requests.drain()
        async with asyncio.timeout(5):
            await active_requests.wait_drained(0.01)


async def test_a_cut_ends_running_turns() -> None:
    active_requests = ActiveRequests()
    with pytest.raises(DrainingError):  # noqa: PT012 - raised on leaving
        async with active_requests.track(FOREVER):
            active_requests.abort()
            await asyncio.sleep(FOREVER)
    async with asyncio.timeout(5):
        await active_requests.wait_drained(FOREVER)


async def test_what_is_cut_is_waited_for_until_it_has_ended() -> None:
    active_requests, over = ActiveRequests(), asyncio.Event()
    with active_requests.track_socket(lambda: None):
        active_requests.abort()
        ended = asyncio.create_task(active_requests.wait_closed(FOREVER))
        ended.add_done_callback(lambda _: over.set())
        await active_requests.wait_drained(FOREVER)
        assert not over.is_set()
        await active_requests.wait_closed(0.01)
    async with asyncio.timeout(5):
        await over.wait()


async def test_a_drain_notifies_each_socket_and_waits_for_it() -> None:
    active_requests, notified = ActiveRequests(), list[str]()
    with active_requests.track_socket(lambda: notified.append("open")):
        active_requests.drain()
        active_requests.drain()
        assert notified == ["open"]
        with active_requests.track_socket(lambda: notified.append("late")):
            assert notified == ["open", "late"]
        drained = asyncio.create_task(active_requests.wait_drained(FOREVER))
        await asyncio.sleep(0)
        assert not drained.done()
    async with asyncio.timeout(5):
        await drained


async def test_a_promised_turn_begins_in_a_drain_but_not_after_a_cut() -> None:
    active_requests, begun = ActiveRequests(), list[str]()
    with active_requests.track_socket(lambda: None):
        active_requests.drain()
        async with active_requests.track(FOREVER, accepted=True):
            begun.append("in the drain")
        active_requests.abort()
        with pytest.raises(DrainingError):
            async with active_requests.track(FOREVER, accepted=True):
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
