import asyncio

import pytest

from tests.support.worker.harness import report_nothing
from wire.errors import LeaseLostError, StateLostError, StoreUnavailableError, WireError
from worker.turns.forgotten import retry_forgotten

pytestmark = pytest.mark.anyio


class Failing:
    """A call that fails in these ways, and then returns how often it was made."""

    def __init__(self, *errors: WireError) -> None:
        self.made = 0
        self._errors = list(errors)

    async def __call__(self) -> int:
        self.made += 1
        if self._errors:
            raise self._errors.pop(0)
        return self.made


def soon(seconds: float = 60.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_redis_has_not_forgotten_is_called_once() -> None:
    async def report() -> None:
        raise AssertionError

    assert await retry_forgotten(Failing(), report, soon()) == 1


@pytest.mark.parametrize("error", [LeaseLostError("stale"), StateLostError("lost")])
async def test_what_redis_has_forgotten_is_reported_and_called_again(error: WireError) -> None:
    reported = 0

    async def report() -> None:
        nonlocal reported
        reported += 1

    assert await retry_forgotten(Failing(StoreUnavailableError("away"), error), report, soon()) == 3
    assert reported == 1


async def test_what_a_report_does_not_help_raises() -> None:
    call = Failing(LeaseLostError("stale"), LeaseLostError("stale"), LeaseLostError("stale"))
    with pytest.raises(LeaseLostError):
        await retry_forgotten(call, report_nothing, soon())
    assert call.made == 2


async def test_a_report_has_until_the_end_of_the_time() -> None:
    async def report() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StoreUnavailableError):
        await retry_forgotten(Failing(StateLostError("lost")), report, soon(0.01))
