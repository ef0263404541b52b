"""A primary, its replicas, and the sentinels that watch them, as processes that a test can hurt."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.faults.network import Network
from tests.support.faults.redis_node import RedisNode
from tests.support.processes import ROOT, wait_until
from tests.support.tcp_proxy import ProxyThread

# The name of the servers in deploy/sentinel/sentinel.conf.
SERVICE = "bing"
# Seconds since a replica's last word with which it still counts; a healthy one needs one, and one more if it is busy.
MAX_LAG = 2
# Seconds of silence until a sentinel takes a server for dead: by then one that is alone refuses writes.
DOWN_AFTER = 4
# Half of the seconds until another attempt to fail over.
_FAILOVER_TIMEOUT = 3
# Milliseconds since a sentinel's last look at the replicas at which it is well to let it fail over.
_MOMENT = 450, 650
_DEPLOY = ROOT / "deploy"
# Milliseconds between two of a sentinel's messages of a kind, as they are and while a test only waits for all to agree.
_USUAL_PACE = {"info-period": 10000, "publish-period": 2000, "ping-period": 1000, "tilt-period": 30000}
_QUICK_PACE = {"info-period": 300, "publish-period": 100, "ping-period": 200, "tilt-period": 300}

_SETTINGS = ("down-after-milliseconds", "failover-timeout", "parallel-syncs")
# What a sentinel calls a server or another sentinel that it doesn't reach.
_DOWN = {"s_down", "o_down", "disconnected"}


class SentinelShape:
    """Servers of which one is the primary, and three sentinels; all know each other by their lines only."""

    def __init__(self, folder: Path, network: Network, replicas: int = 2) -> None:
        self.network = network
        self._folder = folder
        self._numbers = itertools.count(1)
        first = self._server()
        self.servers = [first, *(self._server(first) for _ in range(replicas))]
        self.sentinels = [self._sentinel(f"sentinel{number + 1}", folder) for number in range(3)]

    def _server(self, primary: RedisNode | None = None, **more: object) -> RedisNode:
        own = {"replica-announce-ip": "127.0.0.1", "replica-announce-port": "{port}", "enable-debug-command": "yes"}
        more |= {"replicaof": f"127.0.0.1 {primary.port}"} if primary else {}
        files = [_DEPLOY / "redis.conf", _DEPLOY / "sentinel" / "redis.conf"]
        name = f"redis{next(self._numbers)}"
        return RedisNode(name, self._folder, self.network, files, own | {"min-replicas-max-lag": MAX_LAG} | more)

    def _sentinel(self, name: str, folder: Path) -> RedisNode:
        own = {
            f"sentinel monitor {SERVICE}": f"127.0.0.1 {self.servers[0].port} 2",
            f"sentinel down-after-milliseconds {SERVICE}": DOWN_AFTER * 1000,
            f"sentinel failover-timeout {SERVICE}": _FAILOVER_TIMEOUT * 1000,
            "sentinel announce-ip": "127.0.0.1",
            "sentinel announce-port": "{port}",
        }
        return RedisNode(name, folder, self.network, [_DEPLOY / "sentinel" / "sentinel.conf"], own, "--sentinel")

    @property
    def nodes(self) -> list[RedisNode]:
        return [*self.servers, *self.sentinels]

    @property
    def url(self) -> str:
        """Return its address as REDIS_URL."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{sentinel.port}' for sentinel in self.sentinels)}/{SERVICE}"

    def start(self) -> None:
        """Start what doesn't run, and wait until all know each other and the primary takes writes."""
        for server in self.servers:
            server.start()
        for server in self.servers:
            wait_until(server.answers, f"{server.name} answers, see {server.log}")
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            wait_until(sentinel.answers, f"{sentinel.name} answers, see {sentinel.log}")
        with self._hurried():
            wait_until(self._is_calm, "no sentinel is about to fail over")
            self._correct()
            wait_until(self.is_whole, "all agree on a primary that has all its replicas")

    def restore(self) -> None:
        """Make good whatever a test did."""
        for node in self.nodes:
            node.thaw()
        self.network.heal()
        self.start()

    def end(self) -> None:
        """End all processes."""
        for node in reversed(self.nodes):
            node.end()

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        self._set_pace(_QUICK_PACE)
        try:
            yield
        finally:
            self._set_pace(_USUAL_PACE)

    def _set_pace(self, pace: dict[str, int]) -> None:
        words = [word for pair in pace.items() for word in pair]
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL", "DEBUG", *words)

    def primary(self) -> RedisNode | None:
        """Return the server that most sentinels name as the primary; None while no majority agrees."""
        addresses = Counter(str(self._named_by(sentinel)) for sentinel in self.sentinels)
        (port, votes), *_ = addresses.most_common(1)
        named = {str(server.port): server for server in self.servers}
        return named.get(port) if votes * 2 > len(self.sentinels) else None

    def _named_by(self, sentinel: RedisNode) -> str | None:
        reply = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return str(reply[1]) if reply else None

    def agreed_primary(self) -> RedisNode:
        """Wait until a majority of the sentinels names a server that is a primary, and return it."""
        agreed: RedisNode = wait_until(self._acting_primary, "a majority names a primary")
        return agreed

    def _acting_primary(self) -> RedisNode | None:
        primary = self.primary()
        return primary if primary and primary.role == "master" else None

    def replicas(self) -> list[RedisNode]:
        """Return all servers but the primary."""
        primary = self.agreed_primary()
        return [server for server in self.servers if server is not primary]

    def successor(self, old: RedisNode) -> RedisNode:
        """Wait until a majority names another primary than this one and it takes writes, and return it."""

        def other() -> RedisNode | None:
            primary = self._acting_primary()
            return primary if primary and primary is not old and primary.accepts_writes() else None

        successor: RedisNode = wait_until(other, f"another primary than {old.name} takes writes")
        return successor

    def kill_primary(self) -> RedisNode:
        """Kill the primary and return the one that takes its place."""
        old = self.agreed_primary()
        old.kill()
        return self.successor(old)

    def fail_over(self) -> RedisNode:
        """Let the sentinels make another server the primary, without loss, and return it once it takes writes."""
        old = self.agreed_primary()
        wait_until(partial(self._begins_fail_over), "a sentinel begins a fail-over")
        return self.successor(old)

    def await_moment(self) -> None:
        """Wait until the first sentinel's next look at the replicas is as far off as it takes to promote one.

        While it fails over it looks once a second, and until then nobody has what the new primary takes.
        """
        wait_until(self._looks_soon, "the sentinel has looked at the replicas half a second ago")

    def _looks_soon(self) -> bool:
        ages = [int(replica["info-refresh"]) for replica in self.sentinels[0].ask("SENTINEL", "REPLICAS", SERVICE)]
        return all(_MOMENT[0] <= age <= _MOMENT[1] for age in ages)

    def _begins_fail_over(self) -> bool:
        return any(s.ask("SENTINEL", "FAILOVER", SERVICE, "COORDINATED") is not None for s in self.sentinels)

    def _is_calm(self) -> bool:
        """Return whether a majority names a primary and no sentinel is at a fail-over, which may name another then."""
        records = [self._record(sentinel) for sentinel in self.sentinels]
        busy = any("failover_in_progress" in record.get("flags", "failover_in_progress") for record in records)
        return not busy and self._acting_primary() is not None

    def _record(self, sentinel: RedisNode) -> dict[str, str]:
        return sentinel.ask("SENTINEL", "MASTER", SERVICE) or {}

    def _correct(self) -> None:
        """Let sentinels that name another primary than the majority watch that one.

        One that was still at a fail-over when the others had the next behind them never learns of it.
        """
        primary = self.agreed_primary()
        for sentinel in self.sentinels:
            if self._named_by(sentinel) != str(primary.port):
                record = self._record(sentinel)
                settings = [word for name in _SETTINGS for word in (name, record[name])]
                sentinel.ask("SENTINEL", "REMOVE", SERVICE)
                sentinel.ask("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", primary.port, 2)
                sentinel.ask("SENTINEL", "SET", SERVICE, *settings)

    def replace_primary(self) -> RedisNode:
        """Replace the primary by a new server, without loss, as an operator does; return the new one."""
        old = self.agreed_primary()
        # Sentinels prefer it.
        new = self._server(old, **{"replica-priority": 1})
        new.start()
        wait_until(partial(new.has_caught_up, old), f"{new.name} has all of {old.name}")
        self.servers.append(new)
        with self._hurried():
            wait_until(self.is_whole, "the sentinels know the new server")
        self.fail_over()
        old.end()
        self.servers.remove(old)
        new.ask("CONFIG", "SET", "replica-priority", 100)
        return new

    def promote(self, replica: RedisNode) -> None:
        """Make a replica a primary by hand, beside whatever other there is, without a word to the sentinels."""
        replica.ask("REPLICAOF", "NO", "ONE")
        wait_until(lambda: replica.role == "master", f"{replica.name} is a primary")

    def leave_behind(self) -> None:
        """Let the replicas get nothing of what the primary writes from now on, until the network is healed."""
        primary = self.agreed_primary()
        for replica in self.replicas():
            wait_until(partial(replica.has_caught_up, primary), f"{replica.name} has all of {primary.name}")
            self.network.hold(replica, primary.line)

    def isolate(self, server: RedisNode) -> None:
        """Let no sentinel reach this server until the network is healed: whatever it is, it remains."""
        for sentinel in self.sentinels:
            self.network.hold(sentinel, server.line)

    def await_demotion(self, old: RedisNode) -> None:
        """Wait until a server that was the primary is a replica of the one that is."""
        with self._hurried():
            wait_until(lambda: old.follows(self.agreed_primary()), f"{old.name} follows the primary")

    def is_whole(self) -> bool:
        """Return whether all sentinels and servers are up and agree on the primary, which takes writes."""
        primary = self._acting_primary()
        if primary is None or not self._is_calm() or not primary.accepts_writes():
            return False
        others = [server for server in self.servers if server is not primary]
        known = all(self._knows_all(sentinel, primary) for sentinel in self.sentinels)
        return known and all(server.follows(primary) for server in others)

    def _knows_all(self, sentinel: RedisNode, primary: RedisNode) -> bool:
        records: list[list[dict[str, Any]]] = [
            sentinel.ask("SENTINEL", kind, SERVICE) or [] for kind in ("REPLICAS", "SENTINELS")
        ]
        replicas, sentinels = (
            [entry for entry in entries if not _DOWN & set(entry["flags"].split(","))] for entries in records
        )
        counts = len(replicas), len(sentinels)
        return (
            self._named_by(sentinel) == str(primary.port)
            and counts == (len(self.servers) - 1, len(self.sentinels) - 1)
            and sentinel.ask("SENTINEL", "CKQUORUM", SERVICE) is not None
            # One that was frozen only watches for a while.
            and not (sentinel.ask("INFO", "sentinel") or {}).get("sentinel_tilt", 1)
        )


@contextmanager
def running_sentinels(folder: Path, replicas: int = 2) -> Iterator[SentinelShape]:
    """A primary with replicas and three sentinels, ready, and ended afterwards."""
    with ProxyThread() as proxy_thread:
        shape = SentinelShape(folder, Network(proxy_thread), replicas)
        try:
            shape.start()
            yield shape
        finally:
            shape.end()
