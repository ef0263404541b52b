"""The process of the model server that all sides before one ask; see bench.systems.upstream."""

from dataclasses import dataclass
from functools import partial

from bench.systems.processes import Processes, accepts, free_ports


@dataclass(frozen=True)
class RunningUpstream:
    """The running model server."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


async def start_upstream(processes: Processes) -> RunningUpstream:
    """Start it on a free port."""
    [port] = free_ports(1)
    running = await processes.start_module("upstream", "bench.systems.upstream", {}, "--port", str(port))
    await running.until("its port", partial(accepts, port))
    return RunningUpstream(running.pid, port)
