"""A Redis cluster of three primaries with a replica each, as processes that a test can hurt."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from redis.crc import key_slot

from tests.support.faults.network import Network
from tests.support.faults.redis_node import RedisNode
from tests.support.processes import ROOT, free_port, wait_until
from tests.support.tcp_proxy import ProxyThread, TcpProxy

# Seconds of silence until a server is taken for dead, and until one that is cut off takes no writes.
NODE_TIMEOUT = 2
_SLOTS = 16384
# The first slot of each primary, so that the tags `s0` (11097) and `accounts` (14365) lie on different ones.
_FIRST_SLOTS = (0, 5461, 12000)
_DEPLOY = ROOT / "deploy"
# First and last slot of each range, and the ports of its primary and its replicas.
SlotMap: TypeAlias = frozenset[tuple[int, int, int, frozenset[int]]]


class ClusterNode(RedisNode):
    """A server of a cluster, whose bus, too, the others reach only over a line."""

    def __init__(self, name: str, folder: Path, network: Network) -> None:
        bus_port = free_port()
        self.bus: TcpProxy = network.add(self, bus_port)
        own = {
            "cluster-announce-ip": "127.0.0.1",
            "cluster-announce-port": "{port}",
            "cluster-announce-bus-port": self.bus.port,
            "cluster-port": bus_port,
            "cluster-node-timeout": NODE_TIMEOUT * 1000,
            "enable-debug-command": "yes",
        }
        super().__init__(name, folder, network, [_DEPLOY / "redis.conf", _DEPLOY / "cluster" / "redis.conf"], own)

    def slot_map(self) -> SlotMap:
        """Return who serves which slots, as it knows it; nothing while it doesn't answer."""
        ranges = self.ask("CLUSTER", "SLOTS") or []
        return frozenset(
            (first, last, primary[1], frozenset(replica[1] for replica in replicas))
            for first, last, primary, *replicas in ranges
        )

    def reports(self, line: str) -> bool:
        """Return whether this `name:value` is in what it reports of the cluster."""
        return line in str(self.ask("CLUSTER", "INFO")).split("\r\n")


class ClusterShape:
    """Six servers, of which three are primaries; all know each other by their lines only.

    A primary is named by a hash tag whose keys it has.
    """

    def __init__(self, folder: Path, network: Network) -> None:
        self.network = network
        self.servers = [ClusterNode(f"redis{number + 1}", folder, network) for number in range(2 * len(_FIRST_SLOTS))]
        self._is_formed = False

    @property
    def nodes(self) -> list[ClusterNode]:
        return self.servers

    @property
    def url(self) -> str:
        """Return its address as REDIS_URL."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers)}"

    def start(self) -> None:
        """Start what doesn't run, and wait until each slot has a primary and a replica and all agree on them."""
        for server in self.servers:
            server.start()
        for server in self.servers:
            wait_until(server.answers, f"{server.name} answers, see {server.log}")
        if not self._is_formed:
            self._form()
        wait_until(self.is_whole, "all agree on the primaries, each of which has its replica")

    def _form(self) -> None:
        primaries, replicas = self.servers[: len(_FIRST_SLOTS)], self.servers[len(_FIRST_SLOTS) :]
        limits = (*_FIRST_SLOTS[1:], _SLOTS)
        for number, (primary, first, limit) in enumerate(zip(primaries, _FIRST_SLOTS, limits, strict=True)):
            primary.ask("CLUSTER", "ADDSLOTSRANGE", first, limit - 1)
            primary.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in self.servers[1:]:
            self.servers[0].ask("CLUSTER", "MEET", "127.0.0.1", server.port, server.bus.port)
        for replica, primary in zip(replicas, primaries, strict=True):
            name = str(primary.ask("CLUSTER", "MYID"))
            # Refused until the two have met.
            wait_until(partial(self._follow, replica, name), f"{replica.name} follows {primary.name}")
        self._is_formed = True

    @staticmethod
    def _follow(replica: ClusterNode, name: str) -> bool:
        return replica.ask("CLUSTER", "REPLICATE", name) is not None

    def restore(self) -> None:
        """Make good whatever a test did."""
        for server in self.servers:
            server.thaw()
        self.network.heal()
        self.start()

    def end(self) -> None:
        """End all processes."""
        for server in reversed(self.servers):
            server.end()

    def owner(self, tag: str) -> ClusterNode | None:
        """Return the server that most of all servers take for the primary of this tag; None while no majority does."""
        slot = key_slot(tag.encode())
        ports = Counter(
            port for server in self.servers for first, last, port, _ in server.slot_map() if first <= slot <= last
        )
        (port, votes), *_ = ports.most_common(1) or [(0, 0)]
        return self._by_port(port) if votes * 2 > len(self.servers) else None

    def _by_port(self, port: int) -> ClusterNode:
        return next(server for server in self.servers if server.port == port)

    def agreed_owner(self, tag: str) -> ClusterNode:
        """Wait until a majority agrees on the primary of this tag and it takes writes, and return it."""
        owner: ClusterNode = wait_until(partial(self._acting_owner, tag), f"a majority names a primary of {tag}")
        return owner

    def _acting_owner(self, tag: str) -> ClusterNode | None:
        owner = self.owner(tag)
        return owner if owner and owner.accepts_writes(tag) else None

    def replicas(self, tag: str) -> list[ClusterNode]:
        """Return the replicas of this tag's primary that are connected to it."""
        owner = self.agreed_owner(tag)
        return [server for server in self.servers if server.follows(owner)]

    def successor(self, tag: str, old: RedisNode) -> ClusterNode:
        """Wait until a majority names another primary of this tag than this one and it takes writes, and return it."""

        def other() -> ClusterNode | None:
            owner = self._acting_owner(tag)
            return owner if owner is not old else None

        successor: ClusterNode = wait_until(other, f"another primary of {tag} than {old.name} takes writes")
        return successor

    def kill_owner(self, tag: str) -> ClusterNode:
        """Kill this tag's primary and return the one that takes its place."""
        old = self.agreed_owner(tag)
        old.kill()
        return self.successor(tag, old)

    def fail_over(self, tag: str) -> ClusterNode:
        """Let a replica take its primary's place, without loss, and return it once it takes writes."""
        old, replica = self.agreed_owner(tag), self.replicas(tag)[0]
        wait_until(lambda: replica.ask("CLUSTER", "FAILOVER") is not None, f"{replica.name} begins a fail-over")
        return self.successor(tag, old)

    def promote(self, replica: RedisNode) -> None:
        """Make a replica the primary by hand, whatever it lacks and whoever disagrees."""
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        wait_until(lambda: replica.role == "master", f"{replica.name} is a primary")

    def leave_behind(self, tag: str) -> None:
        """Let the replicas of this tag's primary get nothing of what it writes until the network is healed."""
        owner = self.agreed_owner(tag)
        for replica in self.replicas(tag):
            wait_until(partial(replica.has_caught_up, owner), f"{replica.name} has all of {owner.name}")
            self.network.hold(replica, owner.line)

    def isolate(self, server: RedisNode) -> None:
        """Let no other server reach this one, nor it the others, until the network is healed: it remains what it is."""
        assert isinstance(server, ClusterNode)
        for other in self.servers:
            if other is not server:
                self.network.hold(other, server.bus)
                self.network.hold(server, other.bus)

    def await_demotion(self, tag: str, old: RedisNode) -> None:
        """Wait until a server that was this tag's primary is a replica of the one that is."""
        wait_until(lambda: old.follows(self.agreed_owner(tag)), f"{old.name} follows the primary of {tag}")

    def is_whole(self) -> bool:
        """Return whether all servers are up and agree who serves each slot, and each primary has a replica."""
        first, *others = [server.slot_map() for server in self.servers]
        if any(slot_map != first for slot_map in others):
            return False
        has_all_slots = sum(end - start + 1 for start, end, _, _ in first) == _SLOTS
        up = all(server.reports("cluster_state:ok") for server in self.servers)
        pairs = [(self._by_port(replica), self._by_port(port)) for _, _, port, ports in first for replica in ports]
        followed = {primary for replica, primary in pairs if replica.follows(primary)}
        return has_all_slots and up and followed == {self._by_port(port) for _, _, port, _ in first}


@dataclass(frozen=True)
class ClusterShard:
    """The primary of a tag and its replicas; see Shard."""

    shape: ClusterShape
    tag: str

    def agreed_primary(self) -> ClusterNode:
        """Wait until a majority agrees on the primary and it takes writes, and return it."""
        return self.shape.agreed_owner(self.tag)

    def replicas(self) -> list[ClusterNode]:
        """Return the replicas that are connected to the primary."""
        return self.shape.replicas(self.tag)

    def successor(self, old: RedisNode) -> ClusterNode:
        """Wait until a majority names another primary than this one and it takes writes, and return it."""
        return self.shape.successor(self.tag, old)

    def kill_primary(self) -> ClusterNode:
        """Kill the primary and return the one that takes its place."""
        return self.shape.kill_owner(self.tag)

    def fail_over(self) -> ClusterNode:
        """Let a replica take its primary's place, without loss, and return it once it takes writes."""
        return self.shape.fail_over(self.tag)

    def promote(self, replica: RedisNode) -> None:
        """Make a replica the primary by hand, whatever it lacks and whoever disagrees."""
        self.shape.promote(replica)

    def leave_behind(self) -> None:
        """Let the replicas get nothing of what the primary writes until the network is healed."""
        self.shape.leave_behind(self.tag)

    def isolate(self, server: RedisNode) -> None:
        """Let no other server reach this one, nor it the others, until the network is healed: it remains what it is."""
        self.shape.isolate(server)

    def await_demotion(self, old: RedisNode) -> None:
        """Wait until a server that was the primary is a replica of the one that is."""
        self.shape.await_demotion(self.tag, old)


@contextmanager
def running_cluster(folder: Path) -> Iterator[ClusterShape]:
    """A cluster of three primaries with a replica each, ready, and ended afterwards."""
    with ProxyThread() as proxy_thread:
        shape = ClusterShape(folder, Network(proxy_thread))
        try:
            shape.start()
            yield shape
        finally:
            shape.end()
