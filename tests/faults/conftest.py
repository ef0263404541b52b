"""A cluster for each file of tests, made whole again before each test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.faults.account_resetter import reset_accounts
from tests.support.faults.breakable_system import BreakableSystem
from tests.support.faults.clients import Clients
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.earlier_version import is_there
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.replicated_system import SHAPES, ReplicatedSystem, replicated
from tests.support.faults.scenario import FaultScenario

# The version before comes from the history, which a shallow clone lacks.
collect_ignore = [] if is_there() else ["test_updates.py"]


@asynccontextmanager
async def made_whole(system: BreakableSystem) -> AsyncIterator[Clients]:
    """Make good whatever the test before did, and run clients of the system."""
    system.restore()
    await reset_accounts(system)
    async with Clients(system.urls) as clients:
        yield clients


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three gateways and three workers that talk to each other without a detour."""
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
async def scenario(cluster: Cluster, anyio_backend: str) -> AsyncIterator[FaultScenario]:
    """The cluster, whole."""
    async with made_whole(cluster) as clients:
        yield FaultScenario(cluster, clients)


@pytest.fixture(scope="module", params=SHAPES)
def replicated_system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReplicatedSystem]:
    """Three gateways and three workers on a primary under Sentinel, then on a cluster."""
    with replicated(tmp_path_factory.mktemp(request.param), request.param) as started:
        yield started


@pytest.fixture
async def fail_over(replicated_system: ReplicatedSystem, anyio_backend: str) -> AsyncIterator[FailOverScenario]:
    """The system on several servers, whole."""
    async with made_whole(replicated_system) as clients:
        yield FailOverScenario(replicated_system, clients)
