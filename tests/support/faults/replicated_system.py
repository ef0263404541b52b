"""A deployment on a primary under Sentinel, or on a Redis cluster, in which a test can hurt the servers too."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.faults.breakable_system import LIMITS, BreakableSystem
from tests.support.faults.cluster_shape import ClusterShape, ClusterShard, running_cluster
from tests.support.faults.node import Node
from tests.support.faults.redis_node import RedisNode
from tests.support.faults.sentinel_shape import SentinelShape, running_sentinels
from tests.support.faults.shard import Shard
from wire import keys

ShapeName: TypeAlias = Literal["sentinel", "cluster"]
SHAPES: tuple[ShapeName, ...] = ("sentinel", "cluster")
_TIMEOUT = 5.0


class ReplicatedSystem(BreakableSystem):
    """Gateways and workers that reach the servers over these servers' lines; see BreakableSystem.

    In a cluster the answers' keys and the ledger's are on two shards; else both are the same.
    """

    def __init__(
        self,
        folder: Path,
        shape: SentinelShape | ClusterShape,
        gateways: int,
        workers: int,
        limits: Mapping[str, str],
        upstreams: int,
    ) -> None:
        self.shape = shape
        self._clients: dict[int, Redis] = {}
        super().__init__(folder, gateways, workers, limits, upstreams)

    def shard(self, tag: str = keys.SHARD) -> Shard:
        """The servers of this hash tag."""
        return self.shape if isinstance(self.shape, SentinelShape) else ClusterShard(self.shape, tag)

    @property
    def client(self) -> Redis:
        """See BreakableSystem; waits for a primary."""
        return self.client_of(self.shard().agreed_primary())

    def client_of(self, server: RedisNode) -> Redis:
        """A client of this server that reaches it without its line, and gives bytes."""
        if server.direct_port not in self._clients:
            self._clients[server.direct_port] = Redis(
                port=server.direct_port, socket_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0)
            )
        return self._clients[server.direct_port]

    @property
    def servers(self) -> list[Node]:
        """See BreakableSystem."""
        return list(self.shape.nodes)

    def redis_url(self, _: str) -> str:
        """See BreakableSystem."""
        return self.shape.url

    def redis_ports(self, _: str) -> set[int]:
        """See BreakableSystem."""
        return {node.port for node in self.shape.nodes}

    def start_redis(self) -> None:
        """See BreakableSystem."""
        self.shape.start()

    def restore_redis(self) -> None:
        """See BreakableSystem."""
        self.shape.restore()

    def end(self) -> None:
        """See BreakableSystem."""
        for client in self._clients.values():
            client.close()
        super().end()


@contextmanager
def replicated(
    folder: Path,
    shape_name: ShapeName,
    gateways: int = 3,
    workers: int = 3,
    limits: Mapping[str, str] = LIMITS,
    upstreams: int = 0,
) -> Iterator[ReplicatedSystem]:
    """A system on servers of this shape that is ready, and ended afterwards; see ReplicatedSystem."""
    with running_sentinels(folder) if shape_name == "sentinel" else running_cluster(folder) as shape:
        system = ReplicatedSystem(folder, shape, gateways, workers, limits, upstreams)
        try:
            system.start()
            yield system
        finally:
            system.end()
