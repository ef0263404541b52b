"""Failures to connect: each is logged and reported once, and the next attempt waits."""

import asyncio

import pytest
import structlog

from wire.redis.connection import RedisConnection
from wire.redis.failures import Failures

pytestmark = pytest.mark.anyio


@pytest.fixture
def failures(anyio_backend: str) -> Failures:
    """Nothing has failed yet."""
    return Failures()


async def test_a_failure_is_logged_once_for_all_shards_that_have_it(failures: Failures) -> None:
    with structlog.testing.capture_logs() as logs:
        for shard in ("s0", "accounts", "s0"):
            failures.record(shard, "no node answers")
    assert [line["cause"] for line in logs] == ["no node answers"]
    assert failures.reasons() == ["no node answers"]


async def test_a_success_ends_the_failure_of_its_shard_only(failures: Failures) -> None:
    for shard in ("s0", "accounts"):
        failures.record(shard, "no node answers")
    failures.watch("s0", RedisConnection(1.0))
    assert failures.reasons() == ["no node answers"]
    failures.record("accounts", "it is a replica")
    assert failures.reasons() == ["it is a replica"]
    failures.watch("accounts", RedisConnection(1.0))
    assert failures.reasons() == []


async def test_the_attempt_after_a_failure_waits_and_that_of_another_shard_does_not(failures: Failures) -> None:
    failures.record("s0", "no node answers")
    paused = asyncio.create_task(failures.pause("s0"))
    await failures.pause("accounts")
    assert not paused.done()
    await paused


async def test_news_end_all_pauses(failures: Failures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.redis.backoff._FIRST", 60.0)
    for shard in ("s0", "accounts"):
        failures.record(shard, "no node answers")
    paused = [asyncio.create_task(failures.pause(shard)) for shard in ("s0", "accounts")]
    await asyncio.sleep(0)
    assert not any(task.done() for task in paused)
    failures.end_pauses()
    await asyncio.gather(*paused)
    await failures.pause("s0")


@pytest.mark.parametrize(("reason", "pauses"), [("READONLY You can't write", True), ("closed by Redis", False)])
async def test_a_server_that_is_misplaced_makes_a_pause_and_one_that_is_lost_does_not(
    failures: Failures, monkeypatch: pytest.MonkeyPatch, reason: str, pauses: bool
) -> None:
    monkeypatch.setattr("wire.redis.backoff._FIRST", 60.0)
    connection = RedisConnection(1.0)
    failures.watch("s0", connection)
    connection.end(reason)
    await asyncio.sleep(0)
    paused = asyncio.create_task(failures.pause("s0"))
    await asyncio.sleep(0)
    assert paused.done() != pauses
    failures.end_pauses()
    await paused
