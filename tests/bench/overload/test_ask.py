"""The outcome comes back from a process of its own."""

import pytest

from bench.errors import BenchError
from bench.overload.ask import ask
from bench.overload.plan import Group, OverloadPlan
from bench.systems.processes import free_ports

pytestmark = pytest.mark.anyio

GROUP = Group("none", 2, 0, 1, 1)


async def test_each_group_has_an_outcome() -> None:
    outcomes = await ask(OverloadPlan(free_ports(1), [GROUP], 0, 1, 5))
    assert list(outcomes) == ["none"]
    assert outcomes["none"].asked == outcomes["none"].unfinished == 2


async def test_a_client_that_fails_ends_the_run() -> None:
    with pytest.raises(BenchError, match="without an outcome"):
        await ask(OverloadPlan([], [GROUP], 0, 1, 5))
