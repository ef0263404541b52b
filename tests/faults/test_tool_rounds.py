"""Rounds of tools go on, whatever dies meanwhile and wherever a stream is cut."""

import json
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.support.conditions import until
from tests.support.faults.agent import Agent, Round
from tests.support.faults.clients import unique
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.node import Node
from tests.support.faults.scenario import FaultScenario
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

ROUNDS = 20
# One argument is long enough that something can die within its call.
CALLS = " ".join(f"!tool=note {json.dumps({'id': f'note {number}', 'text': 'x' * 60})}" for number in range(ROUNDS))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three gateways and three workers, all of whose accounts are at model servers."""
    with running(tmp_path_factory.mktemp("cluster"), servers=4) as started:
        yield started


def model_is_known(cluster: Cluster) -> bool:
    lists = [httpx.get(f"{url}/v1/models", trust_env=False).json()["data"] for url in cluster.urls]
    return all("stand-in" in [model["id"] for model in models] for models in lists)


def holder(cluster: Cluster, current: Round) -> Node:
    token: bytes = cluster.client.hget(keys.job_key(current.answer), "token")  # type: ignore[assignment]
    owner: bytes = cluster.client.hget(keys.token_key(token.decode()), "owner")  # type: ignore[assignment]
    (node,) = [node for node in cluster.workers if cluster.worker_id(node) == owner.decode()]
    return node


async def test_twenty_rounds_outlive_a_gateway_a_worker_and_a_cut_at_every_event(scenario: FaultScenario) -> None:
    cluster = scenario.cluster
    await until(lambda: model_is_known(cluster), "the model is known")
    agent = Agent(cluster.urls, unique(f"!rate=15 {CALLS}"))
    killed: list[Node] = []

    def kill_gateway(current: Round) -> None:
        killed.append(cluster.gateways[cluster.urls.index(current.gateway)])
        killed[-1].kill()

    def kill_worker(current: Round) -> None:
        killed.append(holder(cluster, current))
        killed[-1].kill()

    text = await agent.run({6: kill_gateway, 13: kill_worker})
    assert [node.name.rstrip("0123456789") for node in killed] == ["gateway", "worker"]
    assert all(f"note {number}" in text for number in range(ROUNDS))
    assert len(agent.rounds) == ROUNDS + 1
    # Only what died with its worker was asked a second time, by a request of its own.
    assert agent.asked.total() == ROUNDS + 2
    turns = Counter(len(turn["request"]["messages"]) for turn in cluster.ledger()["turns"] if CALLS in turn["question"])
    assert turns == agent.asked
    # Whoever follows from the beginning gets what came over all the connections.
    alive = next(url for url, node in zip(cluster.urls, cluster.gateways, strict=True) if node.running)
    for current in agent.rounds:
        assert len(current.frames) > 1
        assert await agent.whole(current, alive) == current.frames[1:]
    await scenario.verify()
