"""What a turn gets of an account, and gives back."""

import asyncio

import pytest

from tests.support.conditions import until
from worker.accounts.account import CookieAccount
from worker.accounts.penalties import NO_PENALTY, Penalty
from worker.accounts.reservation import NoAccountError, Reservation

pytestmark = pytest.mark.anyio


async def test_a_release_is_recorded_even_if_its_caller_is_cancelled() -> None:
    recorded: list[tuple[Penalty, bool]] = []
    go = asyncio.Event()

    async def record(penalty: Penalty, sent: bool) -> None:
        await go.wait()
        recorded.append((penalty, sent))

    account = CookieAccount("a", {"_U": "a"})
    reservation = Reservation(account, lambda penalty, sent: asyncio.create_task(record(penalty, sent)))
    assert reservation.account is account
    releasing = asyncio.create_task(reservation.release(NO_PENALTY, sent=True))
    await asyncio.sleep(0)
    releasing.cancel()
    await until(releasing.done)
    go.set()
    await until(lambda: recorded)
    assert recorded == [(NO_PENALTY, True)]


def test_a_refusal_has_its_return_and_reason_and_whether_a_turn_ends_before() -> None:
    refusal = NoAccountError(1.5, "account.throttled", busy=True)
    assert (refusal.returns, refusal.reason, refusal.busy) == (1.5, "account.throttled", True)
