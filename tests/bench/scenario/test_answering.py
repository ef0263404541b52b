"""What users do over HTTP, at a real gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bench.scenario import answering, mix
from bench.scenario.ends import RefusedError, WrongEndError
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.connect import Store
from wire.messages import Delta, Failed, Final, Replace

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hello"}


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningGateway]:
    monkeypatch.setattr(mix, "RECONNECT_S", 0.01)
    monkeypatch.setattr(mix, "CUT_AFTER", (1, 1))
    store = Store("memory://")
    async with running(store) as found:
        found.worker.scripts["a cat"] = [Final("", images=("https://example.org/cat",))]
        yield found
    await store.close()


async def done(action: Callable[..., Any], gateway: RunningGateway, *more: Any) -> Any:
    return await asyncio.to_thread(action, gateway.address, *more)


async def test_a_question_is_asked_and_its_conversation_goes_on(gateway: RunningGateway) -> None:
    token = await done(answering.whole, gateway, ASK)
    assert await done(answering.streamed, gateway, ASK | {"token": token}, lambda: None) == token
    assert [asked for asked, _ in gateway.worker.asked] == [token, token]


async def test_the_first_delta_is_told_once(gateway: RunningGateway) -> None:
    told: list[None] = []
    await done(answering.streamed, gateway, ASK, lambda: told.append(None))
    assert len(told) == 1


async def test_pictures_are_wanted(gateway: RunningGateway) -> None:
    await done(answering.drawn, gateway, {"keyword": "a cat"})


async def test_who_resumes_asks_once_and_misses_nothing(gateway: RunningGateway) -> None:
    gate = asyncio.Event()
    gateway.worker.scripts["hello"] = [Delta("a"), gate, Delta("b"), Final("ab")]
    loop = asyncio.get_running_loop()
    await done(answering.resumed, gateway, ASK, lambda: loop.call_soon_threadsafe(gate.set))
    assert len(gateway.worker.asked) == 1


async def test_who_stops_gets_an_end_that_resets(gateway: RunningGateway) -> None:
    never = asyncio.Event()
    gateway.worker.scripts["hello"] = [Delta("a"), never, Final("a")]
    try:
        await done(answering.stopped, gateway, ASK, lambda: None)
    finally:
        never.set()


async def test_who_stops_too_late_gets_the_whole_answer(gateway: RunningGateway) -> None:
    await done(answering.stopped, gateway, ASK, lambda: None)


@pytest.mark.parametrize("action", [answering.streamed, answering.resumed, answering.stopped])
@pytest.mark.parametrize("script", [[Delta("a"), Replace("b"), Final("b")], [Delta("a"), Failed(500, "broken", "x.y")]])
async def test_a_wrong_end_is_noticed(
    gateway: RunningGateway, action: Callable[..., Any], script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mix, "CUT_AFTER", (9, 9))
    gateway.worker.scripts["hello"] = script
    with pytest.raises(WrongEndError):
        await done(action, gateway, ASK, lambda: None)


async def test_a_refusal_is_told_apart() -> None:
    store = Store("memory://")
    async with running(store, settings(client_limit=1), worker=False) as gateway:
        async with gateway.client.stream("GET", "/api_stream", params=ASK, headers={"accept": "text/event-stream"}):
            with pytest.raises(RefusedError) as refused:
                await done(answering.streamed, gateway, ASK, lambda: None)
            with pytest.raises(RefusedError):
                await done(answering.whole, gateway, ASK)
        assert refused.value.code == 429
        assert refused.value.retry_after >= 1
    await store.close()


def test_a_token_that_changes_is_noticed() -> None:
    answering.check_same("", "a")
    answering.check_same("a", "a")
    with pytest.raises(WrongEndError):
        answering.check_same("a", "b")
