"""A cluster for each file of tests, made whole again before each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.faults.account_resetter import reset_accounts
from tests.support.faults.clients import Clients
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.earlier_version import is_there
from tests.support.faults.scenario import FaultScenario

# The version before comes from the history, which a shallow clone lacks.
collect_ignore = [] if is_there() else ["test_updates.py"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three gateways and three workers that talk to each other without a detour."""
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
async def scenario(cluster: Cluster, anyio_backend: str) -> AsyncIterator[FaultScenario]:
    """The cluster, whole."""
    cluster.restore()
    await reset_accounts(cluster)
    async with Clients(cluster.urls) as clients:
        yield FaultScenario(cluster, clients)
