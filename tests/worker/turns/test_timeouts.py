"""Who is silent for too long is cut off, and no other."""

import asyncio

import pytest

from tests.support.conditions import SOON
from worker.turns.timeouts import IdleTimeout

pytestmark = pytest.mark.anyio

NEVER = 1000.0


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_who_is_silent_is_cut_off() -> None:
    began = now()
    with pytest.raises(TimeoutError):
        async with IdleTimeout(lambda: 0.05, 0.05, now() + NEVER):
            await asyncio.Event().wait()
    assert now() - began >= 0.049


async def test_the_deadline_holds_whatever_is_heard() -> None:
    async def chatter() -> None:
        async with IdleTimeout(lambda: NEVER, NEVER, now() + 0.05) as limit:
            while True:
                limit.reset()
                await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await chatter()


async def test_nothing_that_has_passed_its_limit_begins() -> None:
    with pytest.raises(TimeoutError):
        async with IdleTimeout(lambda: NEVER, NEVER, now()):
            await asyncio.Event().wait()


async def test_what_is_heard_begins_the_time_anew() -> None:
    heard = asyncio.Event()

    async def speak_for_a_while() -> None:
        async with IdleTimeout(lambda: 0.5, 0.5, now() + NEVER) as limit:
            for _ in range(60):
                await asyncio.sleep(0.01)
                limit.reset()
            heard.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(speak_for_a_while())
    await heard.wait()
    last = now()
    with pytest.raises(TimeoutError):
        await task
    assert now() - last >= 0.45


async def test_a_patience_that_grows_shorter_counts_at_once() -> None:
    patience = [NEVER]

    async def lose_patience() -> None:
        async with IdleTimeout(lambda: patience[0], 0.01, now() + NEVER):
            patience[0] = 0.05
            await asyncio.Event().wait()

    async with asyncio.timeout(SOON):
        with pytest.raises(TimeoutError):
            await lose_patience()


async def test_what_ends_in_time_ends_as_it_does() -> None:
    async with IdleTimeout(lambda: NEVER, NEVER, now() + NEVER):
        pass
    with pytest.raises(ZeroDivisionError):
        async with IdleTimeout(lambda: NEVER, NEVER, now() + NEVER):
            raise ZeroDivisionError


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    waiting = asyncio.Event()

    async def wait() -> None:
        async with IdleTimeout(lambda: NEVER, NEVER, now() + NEVER):
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
