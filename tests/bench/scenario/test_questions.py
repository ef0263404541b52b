"""What users do over HTTP, at a real gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from bench.scenario import questions
from bench.scenario.errors import RefusedError, WrongEndError
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.messages import Delta, Failed, Final, Replace
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hello"}


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    store = Store("memory://")
    async with running(store) as gateway:
        gateway.worker.scripts["a cat"] = [Final("", images=("https://example.org/cat",))]
        yield gateway
    await store.close()


async def run(action: Callable[..., Any], gateway: RunningGateway, *more: Any) -> Any:
    return await asyncio.to_thread(action, gateway.address, *more)


async def test_a_question_is_asked_and_its_conversation_continues(gateway: RunningGateway) -> None:
    token = await run(questions.ask_whole, gateway, ASK)
    assert await run(questions.ask_stream, gateway, ASK | {"token": token}, lambda: None) == token
    assert [job for job, _ in gateway.worker.asked] == [token, token]


async def test_the_first_delta_is_reported_once(gateway: RunningGateway) -> None:
    calls: list[None] = []
    await run(questions.ask_stream, gateway, ASK, lambda: calls.append(None))
    assert len(calls) == 1


async def test_pictures_are_wanted(gateway: RunningGateway) -> None:
    await run(questions.ask_images, gateway, {"keyword": "a cat"})


async def test_who_resumes_asks_once_and_misses_nothing(gateway: RunningGateway) -> None:
    gate = asyncio.Event()
    gateway.worker.scripts["hello"] = [Delta("a"), gate, Delta("b"), Final("ab")]
    loop = asyncio.get_running_loop()
    action = partial(questions.ask_and_reconnect, cut_after=1, reconnect_s=0.01)
    await run(action, gateway, ASK, lambda: loop.call_soon_threadsafe(gate.set))
    assert len(gateway.worker.asked) == 1


async def test_who_stops_gets_an_end_that_resets(gateway: RunningGateway) -> None:
    never = asyncio.Event()
    gateway.worker.scripts["hello"] = [Delta("a"), never, Final("a")]
    try:
        await run(partial(questions.ask_and_stop, stop_after=1), gateway, ASK, lambda: None)
    finally:
        never.set()


async def test_who_stops_too_late_gets_the_whole_answer(gateway: RunningGateway) -> None:
    await run(partial(questions.ask_and_stop, stop_after=1), gateway, ASK, lambda: None)


@pytest.mark.parametrize(
    "action",
    [
        questions.ask_stream,
        partial(questions.ask_and_reconnect, cut_after=9, reconnect_s=0.01),
        partial(questions.ask_and_stop, stop_after=9),
    ],
)
@pytest.mark.parametrize(
    "script", [[Delta("a"), Replace("b"), Final("b")], [Delta("a"), Failed("x.y", code=500, message="broken")]]
)
async def test_a_wrong_end_is_noticed(gateway: RunningGateway, action: Callable[..., Any], script: Any) -> None:
    gateway.worker.scripts["hello"] = script
    with pytest.raises(WrongEndError):
        await run(action, gateway, ASK, lambda: None)


async def test_a_refusal_is_no_error() -> None:
    store = Store("memory://")
    async with running(store, settings(client_limit=1), worker=False) as gateway:
        async with gateway.client.stream("GET", "/api_stream", params=ASK, headers={"accept": "text/event-stream"}):
            with pytest.raises(RefusedError) as refused:
                await run(questions.ask_stream, gateway, ASK, lambda: None)
            with pytest.raises(RefusedError):
                await run(questions.ask_whole, gateway, ASK)
        assert refused.value.code == 429
        assert refused.value.retry_after >= 1
    await store.close()


def test_a_token_that_changes_is_noticed() -> None:
    questions.check_same_token("", "a")
    questions.check_same_token("a", "a")
    with pytest.raises(WrongEndError):
        questions.check_same_token("a", "b")
