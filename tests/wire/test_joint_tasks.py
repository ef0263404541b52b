import asyncio

import pytest

from wire.errors import StoreUnavailableError
from wire.joint_tasks import run_together

pytestmark = pytest.mark.anyio


async def fail() -> None:
    raise StoreUnavailableError("away")


async def test_all_are_run() -> None:
    done: list[int] = []

    async def note() -> None:
        done.append(len(done))

    await run_together([note] * 200)
    assert len(done) == 200


async def test_the_first_that_fails_ends_the_others_and_is_raised() -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lingered")

    with pytest.raises(StoreUnavailableError, match="away"):
        await run_together([linger, fail])
    assert ended == ["lingered"]


async def test_a_cancellation_that_comes_as_one_fails_is_not_lost() -> None:
    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            running.cancel()

    running = asyncio.create_task(run_together([linger, fail]))
    with pytest.raises(asyncio.CancelledError):
        await running
