"""A primary that was replaced, returns, and takes itself for the primary until it is demoted."""

import asyncio

import pytest

from tests.support.conditions import until
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.redis_node import RedisNode

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LONG = "!deltas=60 !rate=20"
# Connections to a server that isn't the primary, in a second, of each process.
RARE = 2


def connections_taken(server: RedisNode) -> int:
    return int(server.ask("INFO", "stats")["total_connections_received"])


def scripts_run(server: RedisNode) -> int:
    stats = server.ask("INFO", "commandstats")
    return sum(int(stats[name]["calls"]) for name in ("cmdstat_eval", "cmdstat_evalsha") if name in stats)


async def test_nobody_writes_to_an_old_primary_that_returns_as_one(fail_over: FailOverScenario) -> None:
    """Fault 12: it returns while nobody reaches it who would demote it, but for clients."""
    old = await fail_over.primary()
    await fail_over.fail()
    fail_over.system.shard().isolate(old)
    old.start()
    await until(lambda: old.role == "master", "it believes what it was")
    loop = asyncio.get_running_loop()
    began, before = loop.time(), connections_taken(old)
    async with fail_over.load(12):
        # What starts now knows neither.
        for node in (fail_over.system.gateways[1], fail_over.system.workers[1]):
            await asyncio.to_thread(node.end)
            node.start()
        exchanges = await fail_over.start_answers(LONG)
        await fail_over.clients.ended(*exchanges)
    seconds, processes = loop.time() - began, len(fail_over.system.gateways + fail_over.system.workers)
    assert scripts_run(old) == 0
    assert connections_taken(old) - before < RARE * seconds * processes
    fail_over.system.shape.network.heal()
    await fail_over.await_demotion(old)
    assert all(exchange.answered for exchange in exchanges)
    assert fail_over.asked_once(*exchanges)
    await fail_over.verify()
