"""A cluster for each file of tests, made whole again before each test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.faults.checker import forbidden, in_logs, violations
from tests.faults.clients import Clients, until
from tests.faults.cluster import Cluster, Node, running
from tests.faults.history import Exchange
from tests.faults.keeper import give_back
from tests.faults.rest import await_rest

# Characters of one of the upstream's deltas, in an answer that is told how many to have.
_DELTA = len("delta 000001 ")


@dataclass
class Scene:
    """A cluster, its clients, and the judgement over both."""

    cluster: Cluster
    clients: Clients

    async def streaming(self, *exchanges: Exchange, deltas: int = 3) -> None:
        """Wait until so many of the upstream's deltas have come of each answer, in however many frames."""
        await until(lambda: all(len("".join(one.deltas)) >= deltas * _DELTA for one in exchanges), "text comes")

    async def holder(self, exchange: Exchange) -> Node:
        """The worker that holds the lease of the question's token."""
        node: Node = await until(lambda: self.cluster.holder(exchange.question), "a worker has the question")
        return node

    async def verify(self, *, whole: bool = True) -> None:
        """Wait for every end, check every promise, and that nothing is left over.

        The answers' logs are only looked at if they are `whole`: if Redis lost nothing.
        """
        await self.clients.ended()
        found = forbidden(violations(self.clients.exchanges, self.cluster.ledger()))
        assert not found, "\n".join(f"{one.kind}: {one.text}" for one in found)
        await asyncio.to_thread(await_rest, self.cluster)
        found = list(in_logs(await asyncio.to_thread(self.cluster.logs))) if whole else []
        assert not found, "\n".join(f"{one.kind}: {one.text}" for one in found)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three gateways and three workers that talk to each other without a detour."""
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
async def scene(cluster: Cluster, anyio_backend: str) -> AsyncIterator[Scene]:
    """The cluster, whole."""
    cluster.restore()
    await give_back(cluster)
    async with Clients(cluster.urls) as clients:
        yield Scene(cluster, clients)
