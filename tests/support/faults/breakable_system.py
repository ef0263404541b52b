"""A whole deployment of real processes, each of which a test can hurt by its id, on whatever Redis there is."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from tests.support.faults.node import Node
from tests.support.processes import answers, free_port, wait_until, write_accounts, write_servers
from wire import keys
from wire.about import digest_prompt

LEASE_TTL = 3.0
# Short, so that each wait ends within a test; in this order, so that the inner limit ends first.
LIMITS = {
    "LEASE_TTL": f"{LEASE_TTL:g}",
    "FIRST_TEXT_TIMEOUT": "7",
    "IDLE_TIMEOUT": "5",
    "CONNECT_TIMEOUT": "6",
    "ANSWER_TIMEOUT": "20",
    "QUEUE_TIMEOUT": "12",
    "DRAIN_TIMEOUT": "4",
    "IDLE_RELEASE": "2",
    # All clients have one address.
    "CLIENT_LIMIT": "1000",
    "CONNECTION_LIMIT": "10000",
    "LOG_FORMAT": "json",
}
# The name of a test, among the processes that reach Redis.
TEST = "test"
_ACCOUNTS = 4


class BreakableSystem(ABC):
    """Gateways and workers, the emulator as the upstreams, and Redis, which is the subclass's.

    Of the four accounts the last `upstreams` are at the emulator's OpenAI face, the others at Bing's.
    """

    def __init__(self, folder: Path, gateways: int, workers: int, limits: Mapping[str, str], upstreams: int) -> None:
        self._folder = folder
        self._upstreams = upstreams
        self._limits = dict(limits)
        self.emulator_port = free_port()
        self.emulator_url = f"http://127.0.0.1:{self.emulator_port}"
        pace = {"EMULATOR_PORT": str(self.emulator_port), "EMULATOR_PACE": "0", "EMULATOR_DAILY_QUOTA": "0"}
        self.emulator = self._module("emulator", "emulator", pace)
        self._metrics: dict[str, str] = {}
        self.ports = [free_port() for _ in range(gateways)]
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.gateways = [self._gateway(f"gateway{number}", port) for number, port in enumerate(self.ports)]
        self._metrics |= {f"gateway{number}": f"{url}/metrics" for number, url in enumerate(self.urls)}
        self.workers = [self.worker(f"worker{number}") for number in range(workers)]

    @property
    @abstractmethod
    def client(self) -> Redis:
        """A client of the server that has the answers' keys."""

    @property
    @abstractmethod
    def servers(self) -> list[Node]:
        """The processes that Redis consists of."""

    @abstractmethod
    def redis_url(self, name: str) -> str:
        """The address of Redis for the process of this name."""

    @abstractmethod
    def redis_ports(self, name: str) -> set[int]:
        """The ports over which the process of this name reaches Redis."""

    @property
    def url(self) -> str:
        """The address of Redis for a test."""
        return self.redis_url(TEST)

    @property
    def upstream_port(self) -> int:
        """The port at which workers reach the emulator."""
        return self.emulator_port

    def _module(self, name: str, module: str, settings: Mapping[str, str]) -> Node:
        return Node(name, [sys.executable, "-m", module], settings, self._folder)

    def _of_redis(self, name: str) -> dict[str, str]:
        return self._limits | {"REDIS_URL": self.redis_url(name)}

    def _gateway(self, name: str, port: int) -> Node:
        return self._module(name, "gateway", self._of_redis(name) | {"GATEWAY_PORT": str(port)})

    def worker(self, name: str, **more: str) -> Node:
        """A worker that isn't started yet."""
        port = self.upstream_port
        names = [f"a{number}" for number in range(_ACCOUNTS)]
        exports = _ACCOUNTS - self._upstreams
        write_accounts(self._folder / "cookies", *names[:exports])
        if self._upstreams:
            write_servers(self._folder / "cookies", f"http://127.0.0.1:{port}/v1", *names[exports:])
        upstream = {
            "COOKIES_DIR": str(self._folder / "cookies"),
            "BING_CREATE_URL": f"http://127.0.0.1:{port}/turing/conversation/create",
            "BING_CHAT_URL": f"ws://127.0.0.1:{port}/sydney/ChatHub",
            "BING_IMAGE_URL": f"http://127.0.0.1:{port}",
        }
        metrics_port = free_port()
        self._metrics[name] = f"http://127.0.0.1:{metrics_port}/metrics"
        metrics = {"METRICS_PORT": str(metrics_port)}
        return self._module(name, "worker", self._of_redis(name) | upstream | metrics | more)

    @property
    def nodes(self) -> list[Node]:
        return [*self.servers, self.emulator, *self.gateways, *self.workers]

    @abstractmethod
    def start_redis(self) -> None:
        """Start what doesn't run of Redis, and wait until it is ready."""

    @abstractmethod
    def restore_redis(self) -> None:
        """Make good whatever a test did to Redis and to the lines to it."""

    def start(self) -> None:
        """Start what doesn't run, and wait until all is ready."""
        self.start_redis()
        for node in (self.emulator, *self.gateways, *self.workers):
            node.start()
        for address in (f"{self.emulator_url}/_health", *(f"{url}/readyz" for url in self.urls)):
            wait_until(partial(answers, address), f"{address} answers, see {self._folder}")
        wait_until(lambda: set(self.alive()) >= set(self.ids()), f"all workers beat, see {self._folder}")

    def restore(self) -> None:
        """Make good whatever a test did."""
        for node in self.nodes:
            node.thaw()
        self.restore_redis()
        self.start()
        self.script(reset=True)

    def end(self) -> None:
        """End all processes."""
        for node in reversed(self.nodes):
            if node.running:
                node.thaw()
                node.terminate()
        for node in reversed(self.nodes):
            node.end()

    def script(self, **commands: Any) -> None:
        """Set how the emulator behaves."""
        httpx.post(f"{self.emulator_url}/_script", json=commands, timeout=5, verify=False).raise_for_status()

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """What really reached the upstream."""
        ledger: dict[str, list[dict[str, Any]]] = httpx.get(
            f"{self.emulator_url}/_ledger", timeout=5, verify=False
        ).json()
        return ledger

    def turns(self, question: str) -> list[dict[str, Any]]:
        """The ledger's turns of one question."""
        return [turn for turn in self.ledger()["turns"] if turn["question"] == question]

    def worker_id(self, node: Node) -> str | None:
        """The id that a worker process gave itself; None before it is ready."""
        if not node.running:
            return None
        ids = [record["worker"] for record in node.says() if record.get("event") == "worker ready"]
        return str(ids[-1]) if ids else None

    def ids(self) -> list[str]:
        """The ids of the workers that run; a worker that isn't ready yet has the id `?`."""
        return [self.worker_id(node) or "?" for node in self.workers if node.running]

    def alive(self) -> list[str]:
        """The workers that beat."""
        pattern = keys.worker_key("*")
        return [key.decode().removeprefix(keys.worker_key("")) for key in self.names(pattern)]

    def names(self, pattern: str) -> list[bytes]:
        """The keys that Redis has of this pattern."""
        # The braces of the tag are no pattern; brackets don't occur.
        return list(self.client.scan_iter(match=pattern, count=1000))

    def subscribers(self, answer: str) -> int:
        """How many connections Redis publishes this answer's events to."""
        ((_, count),) = self.client.pubsub_numsub(keys.channel(answer))
        return int(count)

    def channels(self, client: Redis) -> set[bytes]:
        """The channels that are subscribed to at a server, but for those of processes, live workers and sentinels."""
        names: set[Any] = {*client.pubsub_channels(), *client.pubsub_shardchannels()}
        own = {b"__sentinel__:hello", *(keys.bell_channel(worker).encode() for worker in self.alive())}
        return {name for name in names if b"probe:" not in name} - own

    def job(self, question: str) -> dict[bytes, bytes] | None:
        """The job of a question, as Redis holds it."""
        for key in self.names(keys.job_key("*")):
            job: dict[bytes, bytes] = self.client.hgetall(key)  # type: ignore[assignment]
            if json.loads(job.get(b"about", b"{}")).get("digest") == digest_prompt("", (), question):
                return job
        return None

    def token(self, question: str) -> str:
        """The token of an accepted question; clients don't see that of one that failed."""
        job = self.job(question)
        assert job is not None
        return job[b"token"].decode()

    def holder(self, question: str) -> Node | None:
        """The worker that holds the lease of the question's token."""
        job = self.job(question)
        owner = self.client.hget(keys.token_key(job[b"token"].decode()), "owner") if job else None
        for node in self.workers:
            if isinstance(owner, bytes) and self.worker_id(node) == owner.decode():
                return node
        return None

    def gauges(self, node: Node) -> dict[str, float]:
        """What a gateway or a worker reports of itself, without labels. httpx.TransportError."""
        response = httpx.get(self._metrics[node.name], timeout=5, verify=False, headers={"connection": "close"})
        pairs = [line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in pairs if "{" not in name}

    def logs(self) -> dict[str, list[tuple[str, str]]]:
        """Each answer's log that is still kept: the id and the type of every event, `state.lost` for that end."""
        names = [key.decode() for key in self.names(keys.log_key(f"{keys.SHARD}-*"))]
        return {name: log for name in names if (log := self._log(name))}

    def _log(self, name: str) -> list[tuple[str, str]]:
        entries: Any = self.client.xrange(name)
        events = [(id_.decode(), json.loads(event[b"e"])) for id_, event in entries]
        return [(id_, "state.lost" if entry.get("reason") == "state.lost" else entry["type"]) for id_, entry in events]
