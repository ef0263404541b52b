"""All processes are replaced, and a server too, while clients of all kinds ask."""

import asyncio

import pytest

from tests.support.faults.fail_over_scenario import FailOverScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]


async def test_a_rolling_update_while_a_server_is_replaced_loses_nothing(fail_over: FailOverScenario) -> None:
    """Fault 15: the primary of the answers leaves for good, and a new server takes its place."""
    async with fail_over.load(15):
        replaced = asyncio.create_task(asyncio.to_thread(fail_over.system.shard().replace_primary))
        await fail_over.roll()
        new = await replaced
        await fail_over.answered()
    assert await fail_over.primary() is new
    await fail_over.verify()
    assert fail_over.channels() == set()
