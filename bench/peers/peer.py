"""What another program needs to become a side, and the side that it becomes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.clients.transports import OPENAI, USUAL_TARGET, CompletionsTarget
from bench.peers.environments import Environments
from bench.systems.path import System
from bench.systems.processes import Processes, RunningProcess
from bench.systems.upstream_process import RunningUpstream


@dataclass(frozen=True)
class Site:
    """Where a peer is started: its processes end with the bench, and its files are written into `folder`."""

    processes: Processes
    folder: Path
    environments: Environments
    upstream: RunningUpstream


StartPeer = Callable[[Site], Awaitable[System]]


def side(
    site: Site,
    running: RunningProcess,
    port: int,
    version: str,
    target: CompletionsTarget = USUAL_TARGET,
) -> System:
    """Return a peer that runs, with all processes that it started, as a side named like its process."""
    roles = {"gateway": running.family(), "upstream": [site.upstream.pid]}
    return System(running.name, [port], roles, transport=OPENAI, target=target, version=version)
