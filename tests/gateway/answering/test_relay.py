"""From an answer's events to frames."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answering import keepalive, relay
from gateway.answering.drain import ActiveRequests
from gateway.answering.relay import Frames, Relay
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.harness import joined, running, settings
from wire import keys
from wire.answers import AnswerEvent, Answers
from wire.errors import AnswerGoneError, StoreUnavailableError
from wire.jobs import Jobs
from wire.messages import Chat, Delta, Event, Failed, Final, Image, Replace, Source
from wire.redis.store import Store
from wire.sessions import Sessions


def frames(events: Sequence[Event], token: str | None = "t") -> list[Any]:
    made = Frames(token)
    return [json.loads(frame) for event in events for frame in made.of(event)]


def test_deltas_go_out_as_they_come_and_the_whole_answer_last() -> None:
    first, second, last = frames([Delta("a"), Delta("b"), Final("ab", urls=(Source("t", "u"),), reset=True)])
    assert first["data"] == {"answer": "a", "urls": [], "done": False, "reset": False, "token": "t"}
    assert second["data"]["answer"] == "b"
    assert last["data"] == {
        "answer": "ab",
        "urls": [{"title": "t", "url": "u"}],
        "done": True,
        "reset": True,
        "token": "t",
    }


def test_replaced_text_goes_out_whole() -> None:
    assert [frame["data"]["answer"] for frame in frames([Delta("ab"), Replace("xy"), Delta("z"), Final("xyz")])] == [
        "ab",
        "xy",
        "z",
        "xyz",
    ]


def test_text_first_known_at_the_end_goes_out_before_the_last_frame() -> None:
    assert [frame["data"]["answer"] for frame in frames([Delta("ab"), Final("abc")])] == ["ab", "c", "abc"]
    assert [frame["data"]["answer"] for frame in frames([Final("abc")])] == ["abc", "abc"]
    assert [frame["data"]["answer"] for frame in frames([Delta("ab"), Final("xyz")])] == ["ab", "xyz", "xyz"]


def test_empty_text_makes_no_delta_frame() -> None:
    assert [frame["data"]["done"] for frame in frames([Delta(""), Replace(""), Final("")])] == [True]


def test_a_failure_is_one_error_frame() -> None:
    assert frames([Delta("a"), Failed(500, "坏了", "x")])[1:] == [{"code": 500, "message": "坏了"}]


def test_a_stopped_answer_is_a_success_that_resets() -> None:
    (last,) = frames([Delta("a"), Final("a", stopped=True)])[1:]
    assert (last["code"], last["data"]["done"], last["data"]["reset"]) == (200, True, True)


def test_an_answer_outside_a_stream_has_no_done() -> None:
    found = json.loads(relay.final(Final("a", reset=True), None, streaming=False))
    assert found["data"] == {"answer": "a", "urls": [], "reset": True}


def test_events_that_stop_without_an_end_are_an_error() -> None:
    made = Frames(None)
    made.of(Delta("a"))
    with pytest.raises(AnswerGoneError):
        made.check_ended()
    made.of(Final("a"))
    made.check_ended()


@pytest.mark.anyio
async def test_waiting_for_the_whole_answer_ends_when_its_events_do() -> None:
    async def entries() -> AsyncIterator[AnswerEvent]:
        yield AnswerEvent(1, Delta("a"))

    made = Relay(Jobs(Store("memory://"), GatewaySettings()), Answers(Store("memory://")), ActiveRequests(), 1, 1)
    with pytest.raises(AnswerGoneError):
        await made.whole(entries())


@pytest.mark.anyio
async def test_a_job_that_waits_too_long_is_ended_once_redis_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    store, tries = Store("memory://"), []

    async def expire(jobs: Jobs, answer: str) -> bool:
        tries.append(answer)
        if len(tries) == 1:
            raise StoreUnavailableError("away")
        return await expiring(jobs, answer)

    expiring = Jobs.expire
    monkeypatch.setattr(Jobs, "expire", expire)
    async with Answers(store) as answers, asyncio.timeout(10):
        made = Relay(Jobs(store, GatewaySettings()), answers, ActiveRequests(), 0.01, 1)
        async with made.ask("s0-1", Image("cat"), "token", create=True) as entries:
            event = await made.whole(entries)
    await store.close()
    assert isinstance(event, Failed)
    assert event.code == 503
    assert tries == ["s0-1", "s0-1"]


pieces = st.lists(st.builds(Delta, st.text()) | st.builds(Replace, st.text()))


@given(pieces, st.text())
def test_the_joined_deltas_always_end_with_the_answer(events: list[Event], text: str) -> None:
    assert joined(frames([*events, Final(text)])).endswith(text)


@pytest.mark.anyio
async def test_a_job_that_waits_is_followed_until_its_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    store, followed = Store("memory://"), asyncio.Event()

    async def follow(jobs: Jobs, answer: str) -> bool:
        if not followed.is_set():
            followed.set()
            raise StoreUnavailableError("away")
        return await following(jobs, answer)

    following = Jobs.keep_alive
    monkeypatch.setattr(Jobs, "keep_alive", follow)
    monkeypatch.setattr(keepalive, "_FOLLOW_EVERY", 0.01)
    monkeypatch.setattr(keepalive, "_AWAY_PAUSE", 0.01)
    async with Answers(store) as answers, asyncio.timeout(10):
        jobs = Jobs(store, GatewaySettings())
        made = Relay(jobs, answers, ActiveRequests(), 60, 1)
        async with made.ask("s0-1", Image("cat"), "token", create=True):
            redis: Any = store.commands
            for _ in range(2):
                await redis.hset(keys.job_key("s0-1"), "followed_until", 1)
                await until(lambda: said_anew(redis))
    await store.close()


@pytest.mark.anyio
async def test_a_waiting_question_whose_client_left_is_never_asked(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepalive, "_FOLLOW_EVERY", 0.05)
    store = Store(store_url)
    async with running(store, settings(follow_grace=0.5), worker=False) as gateway:

        async def waiting() -> int:
            found: int = await store.commands.zcard(keys.queued_key())
            return found

        leaving = asyncio.create_task(gateway.client.get("/api?style=precise&question=leaves"))
        await until(lambda: is_(waiting(), 1))
        staying = asyncio.create_task(gateway.client.get("/api?style=precise&question=stays"))
        await until(lambda: is_(waiting(), 2))
        leaving.cancel()
        await until(lambda: gone_unfollowed(store.commands))
        await Sessions(store).beat(gateway.worker.name)
        await store.commands.hset(keys.worker_key(gateway.worker.name), "since", "1")
        working = asyncio.create_task(gateway.worker.run())
        assert (await staying).json()["code"] == 200
        await until(lambda: is_(waiting(), 0))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == ["stays"]
    await store.close()


async def is_(found: Awaitable[int], wanted: int) -> bool:
    return await found == wanted


async def said_anew(redis: Any) -> bool:
    return bool(await redis.hget(keys.job_key("s0-1"), "followed_until") != b"1")


async def gone_unfollowed(redis: Any) -> bool:
    """Whether one of the waiting jobs has gone unfollowed for its grace."""
    jobs = await redis.zrange(keys.queued_key(), 0, -1)
    until_ = [int(await redis.hget(keys.job_key(job.decode()), "followed_until")) for job in jobs]
    seconds, micros = await redis.time()
    return any(one < seconds * 1000 + micros // 1000 for one in until_)
