"""deploy/cluster/form.sh and start-redis.sh: servers as docker compose starts them become one cluster."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.crc import key_slot

from tests.support.deploy.compose_servers import NAMES, ComposeServers
from tests.support.processes import Deployment, deployment, wait_until
from wire import keys

THIRDS = {"redis": (0, 5460), "redis-2": (5461, 10922), "redis-3": (10923, 16383)}
PAIRS = {"redis": "redis-4", "redis-2": "redis-5", "redis-3": "redis-6"}
# Half of it is how long workers report first what they hold, after each start of Redis.
SETTINGS = {"LEASE_TTL": "3"}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[ComposeServers]:
    servers = ComposeServers(tmp_path)
    yield servers
    servers.end()


def test_six_servers_become_three_primaries_with_a_replica_each(servers: ComposeServers) -> None:
    servers.start(*NAMES, is_cluster=True)
    servers.form_cluster()
    formed = {name: ([THIRDS[name]], {replica}) for name, replica in PAIRS.items()}
    assert servers.layout() == formed
    servers.form_cluster()
    assert servers.layout() == formed


def test_a_server_that_lost_its_data_becomes_a_replica_again(servers: ComposeServers) -> None:
    servers.start(*NAMES, is_cluster=True)
    servers.form_cluster()
    servers.lose("redis-5")
    servers.start("redis-5", is_cluster=True)
    servers.form_cluster()
    assert servers.layout("redis-5")["redis-2"] == ([THIRDS["redis-2"]], {"redis-5"})


def running(folder: Path, redis_url: str) -> AbstractContextManager[Deployment]:
    """A gateway and a worker, which asks a model server: the conversation is in Redis alone."""
    folder.mkdir()
    return deployment(folder, redis_url, settings=SETTINGS, gateway_settings=SETTINGS, at_servers=True)


def ask(deployed: Deployment, question: str, **fields: str) -> dict[str, Any]:
    """Ask, and again while Redis's first seconds are waited for."""

    def accepted() -> httpx.Response | None:
        parameters = {"style": "balanced", "question": question, **fields}
        response = httpx.get(f"{deployed.url}/api", params=parameters, timeout=60)
        return response if response.status_code != 503 else None

    response: httpx.Response = wait_until(accepted, f"{question!r} is accepted")
    assert response.json()["code"] == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def test_one_redis_becomes_the_first_of_a_cluster_with_its_conversations(
    servers: ComposeServers, tmp_path: Path
) -> None:
    servers.start("redis", is_cluster=False)
    with running(tmp_path / "before", servers.single_url) as deployed:
        token = ask(deployed, "before")["token"]
    servers.stop("redis")
    servers.start(*NAMES, is_cluster=True)
    servers.form_cluster()
    slots = sorted(key_slot(keys.prefix(shard).encode()) for shard in (keys.SHARD, keys.LEDGER))
    assert servers.layout()["redis"][0] == [THIRDS["redis"], *((slot, slot) for slot in slots)]
    assert sum(last - first + 1 for ranges, _ in servers.layout().values() for first, last in ranges) == 16384
    with running(tmp_path / "after", servers.cluster_url) as deployed:
        after = ask(deployed, "after", token=token)
    assert (after["token"], after["reset"]) == (token, False)
