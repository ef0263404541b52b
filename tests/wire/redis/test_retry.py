"""Calls that are repeated while Redis is away."""

import asyncio

import pytest

from wire.errors import StoreUnavailableError
from wire.redis.retry import retry_unavailable

pytestmark = pytest.mark.anyio


class Call:
    """A call that finds Redis away so many times."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.away:
            raise StoreUnavailableError("away")


async def test_a_call_is_repeated_until_redis_is_back() -> None:
    call = Call(away=2)
    await retry_unavailable(call, asyncio.get_running_loop().time() + 10)
    assert call.calls == 3


async def test_a_redis_that_stays_away_is_given_up_after_the_time() -> None:
    call = Call(away=100)
    with pytest.raises(StoreUnavailableError):
        await retry_unavailable(call, asyncio.get_running_loop().time())
    assert call.calls == 1
