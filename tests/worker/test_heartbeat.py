import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from tests.support.worker.harness import Away, Held, HookedStore
from tests.support.worker.running_dispatcher import NEVER
from wire import keys
from wire.errors import StoreUnavailableError
from wire.sessions import HeartbeatReply, Sessions
from worker.heartbeat import Heartbeat

pytestmark = pytest.mark.anyio


def heartbeat(
    store: HookedStore,
    lease_ttl: float = 1.0,
    reassert: Callable[[float], Awaitable[None]] | None = None,
    on_beat: Callable[[HeartbeatReply], None] | None = None,
    free: int = 0,
) -> Heartbeat:
    async def say_nothing(heard: float) -> None:
        pass

    sessions = Sessions(store, lease_ttl=lease_ttl)
    return Heartbeat(sessions, "w", on_beat or (lambda _: None), reassert or say_nothing, lambda: True, lambda: free)


@asynccontextmanager
async def beating(heart: Heartbeat) -> AsyncIterator[None]:
    running = asyncio.create_task(heart.run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_beats_is_alive(store: HookedStore) -> None:
    heart = heartbeat(store)
    assert await Sessions(store).list_live_workers() == []
    assert not heart.lease_valid
    await heart.beat()
    assert await Sessions(store).list_live_workers() == ["w"]
    assert heart.lease_valid


async def test_the_lease_holds_for_its_time_after_the_last_good_beat_began(store: HookedStore) -> None:
    heart = heartbeat(store, lease_ttl=15.0)
    with mock.patch.object(asyncio.get_running_loop(), "time", return_value=100.0) as clock:
        await heart.beat()
        clock.return_value = 114.9
        assert heart.lease_valid
        clock.return_value = 115.0
        assert not heart.lease_valid


async def test_a_beat_counts_from_when_it_was_sent(store: HookedStore) -> None:
    heart = heartbeat(store, lease_ttl=15.0)
    with mock.patch.object(asyncio.get_running_loop(), "time", return_value=100.0) as clock:

        async def slow() -> None:
            clock.return_value = 110.0

        store.after["beat"] = slow
        await heart.beat()
        clock.return_value = 115.0
        assert not heart.lease_valid


async def test_a_beat_without_a_reply_does_not_count(store: HookedStore) -> None:
    heart = heartbeat(store)
    store.after["beat"] = Away()
    with pytest.raises(StoreUnavailableError):
        await heart.beat()
    assert not heart.lease_valid


async def test_it_beats_often_enough_to_keep_the_lease(store: HookedStore) -> None:
    heart = heartbeat(store, lease_ttl=1.0)
    loop = asyncio.get_running_loop()
    async with beating(heart):
        await until(lambda: store.calls.count("beat") >= 2)
        began = loop.time()
        await until(lambda: store.calls.count("beat") >= 8)
        assert loop.time() - began >= 0.5  # every sixth of a second, not without pause
        assert heart.lease_valid


async def test_a_redis_that_goes_and_comes_back_is_reported_once_each(store: HookedStore) -> None:
    heart, away = heartbeat(store), Away(3)
    store.before["beat"] = away
    with capture_logs() as logs:
        async with beating(heart):
            await until(lambda: store.calls.count("beat") >= 2)
    assert away.met == 3
    assert [line["event"] for line in logs if "redis is" in line["event"]] == [
        "redis is away, trying again",
        "redis is back",
    ]
    assert heart.lease_valid


class Said:
    """How often the worker reasserted what it holds; the first `failing` times Redis goes away over it."""

    def __init__(self, failing: int = 0) -> None:
        self.times = 0
        self.heard = 0.0
        self._failing = failing

    async def __call__(self, heard: float) -> None:
        self.times += 1
        self.heard = heard
        if self.times <= self._failing:
            raise StoreUnavailableError("away")


async def test_leases_are_asserted_again_only_when_redis_may_have_forgotten_them(store: HookedStore) -> None:
    reasserted = Said()
    heart = heartbeat(store, reassert=reasserted)
    await heart.beat()
    await heart.beat()
    assert reasserted.times == 0
    await redis_client(store).delete(keys.run_key())
    await heart.beat()
    await heart.beat()
    assert reasserted.times == 1


async def test_a_report_to_another_redis_is_known_there_without_a_pause(
    store: HookedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    heart = heartbeat(store, lease_ttl=600)
    await heart.beat()
    monkeypatch.setattr("worker.heartbeat._EVERY", 60.0)
    await redis_client(store).hset(keys.run_key(), "id", "another")

    async def is_known() -> bool:
        began = await redis_client(store).hget(keys.run_key(), "at")
        return bool(await redis_client(store).hget(keys.worker_key("w"), "reported") == began)

    async with beating(heart):
        await until(is_known, limit=20)


async def test_it_beats_at_once_when_its_connection_is_lost(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.heartbeat._EVERY", 60.0)
    store = HookedStore(valkey_url)
    heart = heartbeat(store, lease_ttl=600)
    async with beating(heart):
        await until(lambda: heart.lease_valid)
        before = store.calls.count("beat")
        await redis_client(store).client_kill_filter(_type="normal", skipme=True)
        await until(lambda: store.calls.count("beat") > before, limit=20)
    await store.close()


async def test_a_worker_with_much_to_report_does_not_look_dead(store: HookedStore) -> None:
    reported = asyncio.Event()

    async def take_long(_: float) -> None:
        await reported.wait()

    heart = heartbeat(store, lease_ttl=1.0, reassert=take_long)
    await heart.beat()
    await redis_client(store).delete(keys.run_key())
    async with beating(heart):
        await until(lambda: store.calls.count("beat") >= 12)
        assert heart.lease_valid
        assert await Sessions(store).list_live_workers() == ["w"]
        began = await redis_client(store).hget(keys.run_key(), "at")
        assert await redis_client(store).hget(keys.worker_key("w"), "reported") != began
        reported.set()

        async def is_known() -> bool:
            return bool(await redis_client(store).hget(keys.worker_key("w"), "reported") == began)

        await until(is_known)


async def test_a_report_over_which_redis_goes_away_is_made_again(store: HookedStore) -> None:
    cancelled = list[bool]()

    async def take_long(_: float) -> None:
        if cancelled:
            return
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    heart = heartbeat(store, lease_ttl=1.0, reassert=take_long)
    await heart.beat()
    await redis_client(store).delete(keys.run_key())
    async with beating(heart):
        await until(lambda: store.calls.count("beat") >= 3)
        store.before["beat"] = Away(1)
        report = asyncio.create_task(heart.report())
        await until(report.done)
    assert cancelled == [True]


async def test_what_could_not_be_asserted_is_asserted_with_the_next_beat(store: HookedStore) -> None:
    reasserted = Said(failing=2)
    heart = heartbeat(store, reassert=reasserted)
    await heart.beat()
    await redis_client(store).delete(keys.run_key())
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await heart.beat()
    await heart.beat()
    await heart.beat()
    assert reasserted.times == 3


async def test_a_redis_that_comes_back_gets_the_workers_leases(store: HookedStore) -> None:
    reasserted = Said()
    heart = heartbeat(store, reassert=reasserted)
    store.before["beat"] = Away(2)
    async with beating(heart):
        await until(lambda: store.calls.count("beat") >= 2)
    assert reasserted.times == 1


async def test_it_gets_the_time_of_the_last_beat_before_redis_went(store: HookedStore) -> None:
    reasserted = Said(failing=1)
    heart = heartbeat(store, reassert=reasserted)
    with mock.patch.object(asyncio.get_running_loop(), "time", return_value=100.0) as clock:
        await heart.beat()
        await redis_client(store).delete(keys.run_key())
        clock.return_value = 150.0
        with pytest.raises(StoreUnavailableError):
            await heart.beat()
        clock.return_value = 160.0
        await heart.beat()
    assert reasserted.heard == 100.0


async def test_gateways_and_others_learn_its_free_places(store: HookedStore) -> None:
    await heartbeat(store, free=3).beat()
    assert await redis_client(store).zscore(keys.idle_key(), "w") == 3
    await heartbeat(store, free=0).beat()
    assert await redis_client(store).zscore(keys.idle_key(), "w") is None


async def test_each_reply_is_passed_on(store: HookedStore) -> None:
    scenario, beats = Scenario(store), list[HeartbeatReply]()
    heart = heartbeat(store, on_beat=beats.append)
    await heart.beat()
    await scenario.ask()
    await heart.beat()
    assert [beat.waiting for beat in beats] == [0, 1]


async def test_it_beats_at_once_when_it_must_hurry(store: HookedStore) -> None:
    heart, held = heartbeat(store, lease_ttl=NEVER), Held()
    with mock.patch("worker.heartbeat._EVERY", NEVER):
        async with beating(heart):
            await until(lambda: store.calls.count("beat") == 1)
            store.after["beat"] = held
            heart.hurry()
            await held.waiting.wait()
            # The beat that is on its way may have come too early to bring what it shall.
            heart.hurry()
            del store.after["beat"]
            held.go.set()
            await until(lambda: store.calls.count("beat") == 3)


async def test_what_is_requested_while_it_reports_is_reported_with_the_next_beat(store: HookedStore) -> None:
    reports = 0

    async def report(_: float) -> None:
        nonlocal reports
        reports += 1
        if reports == 1:
            heart.request_reassert()

    heart = heartbeat(store, reassert=report)
    heart.request_reassert()
    for expected in (1, 2, 2):
        await heart.beat()
        assert reports == expected


async def test_all_who_wait_for_a_report_get_the_next_one(store: HookedStore) -> None:
    reports, held = 0, Held()

    async def report(_: float) -> None:
        nonlocal reports
        reports += 1
        await held()

    heart = heartbeat(store, reassert=report)
    async with beating(heart):
        await until(lambda: "beat" in store.calls)
        early = [asyncio.create_task(heart.report()) for _ in range(3)]
        await held.waiting.wait()
        # This one has begun already.
        late = asyncio.create_task(heart.report())
        held.go.set()
        await asyncio.gather(*early, late)
    assert reports == 2


async def test_whoever_waits_for_a_report_waits_until_redis_gets_it(store: HookedStore) -> None:
    reasserted = Said(failing=2)
    heart = heartbeat(store, reassert=reasserted)
    async with beating(heart):
        await until(lambda: "beat" in store.calls)
        await heart.report()
    assert reasserted.times == 3


async def test_a_beat_says_to_which_redis_it_has_reported(store: HookedStore) -> None:
    heart, beats = heartbeat(store), list[Any]()

    async def count() -> None:
        beats.append(await redis_client(store).hget(keys.worker_key("w"), "reported"))

    store.after["beat"] = count
    for _ in range(2):
        await heart.beat()
    first = await redis_client(store).hget(keys.run_key(), "at")
    await redis_client(store).hset(keys.run_key(), "id", "another")
    for _ in range(2):
        await heart.beat()
    second = await redis_client(store).hget(keys.run_key(), "at")
    assert beats == [b"0", first, first, second]
