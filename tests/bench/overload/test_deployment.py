"""The overloaded path starts, answers from its own upstream, and its memory can be read."""

from functools import partial
from pathlib import Path

import pytest

from bench.clients.stream import Stream
from bench.clients.transports import SSE, TRANSPORTS
from bench.clients.verdict import COMPLETE
from bench.overload import deployment
from bench.overload.arrivals import Arrivals
from bench.overload.plan import Group
from bench.systems import path
from bench.systems.processes import Processes

pytestmark = pytest.mark.anyio


async def test_it_answers_with_the_pieces_of_its_upstream(tmp_path: Path) -> None:
    group = Group("one", 1, 0, 3, 100.0, 40)
    async with Processes(tmp_path) as processes:
        system = await deployment.start(processes, tmp_path, 2, lease_ttl=3)
        stream = Stream(TRANSPORTS[SSE], Arrivals(), partial(getattr, group, "request"))
        await stream.ask(system.ports[0])
        memory = await deployment.memory_kb(system)
    assert stream.verdict(3) == COMPLETE
    assert set(memory) == {"gateway", "worker", "redis_used"}
    assert all(memory.values())
    assert set(system.roles) == {"gateway", "worker", "redis"}
    assert path.SYNTHETIC not in (tmp_path / "path-worker.log").read_text()
