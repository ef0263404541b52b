"""Servers that were put out of use come back by themselves."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.ledger_clock import advance
from tests.support.worker import openai_server
from tests.support.worker.harness import Away, HookedStore, pool_on, settings_with
from tests.support.worker.openai_server import OpenAIServer
from wire.ledger import AccountSlot, Ledger
from worker.accounts.account import CookieAccount
from worker.accounts.penalties import SUCCESS, Penalty
from worker.accounts.pool import AccountPool
from worker.accounts.reservation import NoAccountError, ReservationRequest
from worker.providers.prober import ServerProber
from worker.providers.registry import ProviderRegistry

pytestmark = pytest.mark.anyio

MODELS = openai_server.refusing(200, {"data": []})


class Ward:
    """A pool with one account at a server, and one with cookies, both dead."""

    def __init__(self, store: HookedStore, server: OpenAIServer) -> None:
        settings = settings_with()
        self.store = store
        self.server = server
        self.pool: AccountPool = pool_on(store, settings, [server.account("x"), CookieAccount("c", {"_U": "c"})])
        self.prober = ServerProber(self.pool, ProviderRegistry(settings), Ledger(store))
        self.turns = 0

    async def turn(self, penalty: Penalty, name: str = "x") -> bool:
        """Take a turn of the account, if there is one, and end it so."""
        self.turns += 1
        slot = AccountSlot(str(self.turns), 1, self.pool.worker)
        try:
            reservation = await self.pool.reserve(slot, ReservationRequest([name]), 0.0)
        except NoAccountError:
            return False
        await reservation.release(penalty, sent=True)
        return True

    async def probe(self) -> None:
        await self.pool.refresh()
        await self.prober.probe()

    async def state(self) -> str:
        await self.pool.refresh()
        return self.pool.statuses["x"].state


REFUSED = Penalty("dead", "account.refused", 15.0)


@pytest.fixture
async def ward(store: HookedStore) -> AsyncIterator[Ward]:
    async with OpenAIServer(openai_server.refusing(403)) as server:
        ward = Ward(store, server)
        await ward.pool.announce()
        assert await ward.turn(REFUSED)
        assert await ward.turn(Penalty("dead", "account.unauthorized"), "c")
        yield ward
        await ward.pool.close(1)


async def test_a_server_that_answers_again_is_tried_at_once_and_is_back(ward: Ward) -> None:
    await ward.probe()
    assert not await ward.turn(SUCCESS)
    ward.server.play = MODELS
    await ward.probe()
    assert await ward.turn(SUCCESS)
    assert await ward.state() == "ready"


async def test_a_server_whose_list_says_nothing_is_tried_now_and_then(ward: Ward) -> None:
    """Its models are listed all the time, and its key is refused with each question."""
    ward.server.play = MODELS
    await ward.probe()
    assert await ward.turn(REFUSED)
    for _ in range(3):
        await ward.probe()
        assert not await ward.turn(REFUSED)
    await advance(ward.store, 15.1)
    await ward.probe()
    assert await ward.turn(SUCCESS)
    assert await ward.state() == "ready"


async def test_a_server_without_a_list_of_models_is_tried_all_the_same(ward: Ward) -> None:
    ward.server.play = openai_server.refusing(404)
    await ward.probe()
    assert not await ward.turn(SUCCESS)
    await advance(ward.store, 15.1)
    assert await ward.turn(SUCCESS)
    assert await ward.state() == "ready"


async def test_only_dead_servers_are_probed(ward: Ward) -> None:
    ward.server.play = MODELS
    await ward.probe()
    assert await ward.turn(SUCCESS)
    count = len(ward.server.asked)
    await ward.probe()
    assert len(ward.server.asked) == count
    assert {asked.target for asked in ward.server.asked} == {"/v1/models"}
    assert not await ward.turn(SUCCESS, "c")


async def test_a_ledger_that_lost_its_data_knows_a_dead_server_again(ward: Ward) -> None:
    await ward.pool.refresh()
    await redis_client(ward.store).flushall()
    await ward.pool.announce()
    await ward.probe()
    assert not await ward.turn(SUCCESS)
    await advance(ward.store, 15.1)
    assert await ward.turn(SUCCESS)


async def test_redis_that_is_away_only_delays_a_trial(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    away, schedule = Away(2), Ledger.schedule_trial

    async def schedule_later(ledger: Ledger, name: str, seconds: float) -> None:
        await away()
        await schedule(ledger, name, seconds)

    monkeypatch.setattr(Ledger, "schedule_trial", schedule_later)
    await ward.pool.refresh()
    ward.server.play = MODELS
    prober = ServerProber(ward.pool, ProviderRegistry(settings_with()), Ledger(ward.store), every=0.01)
    running = asyncio.create_task(prober.run())

    async def is_tried() -> bool:
        return running.done() or await ward.turn(SUCCESS)

    await until(is_tried)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert away.met == 2
