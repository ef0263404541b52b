"""redis-py's errors as ours."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from wire.errors import StoreUnavailableError
from wire.redis.errors import translate_errors

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "error", [RedisConnectionError("gone"), ResponseError("gone"), OSError("gone"), TimeoutError("gone")]
)
async def test_whatever_breaks_a_call_is_one_error(error: Exception) -> None:
    with pytest.raises(StoreUnavailableError, match=f"{type(error).__name__}: gone") as raised, translate_errors():
        raise error
    assert raised.value.__cause__ is error


async def test_another_error_is_left_alone() -> None:
    with pytest.raises(KeyError), translate_errors():
        raise KeyError("k")


@pytest.mark.parametrize("error", [None, OSError("gone")])
async def test_a_cancellation_that_was_swallowed_is_raised(error: Exception | None) -> None:
    async def call() -> None:
        with translate_errors():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if error is not None:
                    raise error from None

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
