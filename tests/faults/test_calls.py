"""A call whose worker is killed in the middle ends with a clear error, and no server gets it twice."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.node import Node
from tests.support.faults.scenario import FaultScenario
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

MODEL = "stand-in-embeddings"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three gateways and three workers, all of whose accounts are at model servers with embeddings."""
    folder = tmp_path_factory.mktemp("cluster")
    with running(folder, servers=4) as started:
        file = folder / "cookies" / "accounts.toml"
        model = 'model = "stand-in"\n'
        file.write_text(file.read_text().replace(model, f'{model}models = ["{MODEL}"]\n'))
        yield started


def model_is_known(cluster: Cluster) -> bool:
    lists = [httpx.get(f"{url}/v1/models", trust_env=False).json()["data"] for url in cluster.urls]
    return all(MODEL in [model["id"] for model in models] for models in lists)


def asked(cluster: Cluster, text: str) -> int:
    return len([call for call in cluster.ledger()["calls"] if text in str(call["request"])])


def holder(cluster: Cluster) -> Node:
    """Return the worker that has the only token with a job."""
    (owned,) = [name for name in cluster.names(keys.owned_key("*")) if cluster.client.scard(name)]
    worker = owned.decode().removeprefix(keys.owned_key(""))
    (node,) = [node for node in cluster.workers if cluster.worker_id(node) == worker]
    return node


async def test_a_worker_that_is_killed_ends_its_call_and_nobody_makes_it_again(scenario: FaultScenario) -> None:
    cluster = scenario.cluster
    await until(lambda: model_is_known(cluster), "the model is known")
    text = unique("!silence embed")
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        body = {"model": MODEL, "input": text}
        sent = asyncio.create_task(client.post(f"{cluster.urls[0]}/v1/embeddings", json=body))
        await until(lambda: asked(cluster, text) == 1, "the server is asked")
        holder(cluster).kill()
        response = await sent
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (500, "interrupted", "server_error")
    assert response.headers["x-should-retry"] == "false"
    assert asked(cluster, text) == 1
    await scenario.verify()
