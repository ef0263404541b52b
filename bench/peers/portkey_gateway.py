"""Portkey's gateway on Node."""

import json
from functools import partial
from pathlib import Path

from bench.clients.transports import CompletionsTarget
from bench.peers.environments import output_of, program
from bench.peers.peer import Site, side
from bench.systems.path import System
from bench.systems.processes import free_ports, is_ready

SOURCE = Path(__file__).parent / "portkey"
_PACKAGE = "@portkey-ai/gateway"
# It adds headers to a response of fetch, which on Node are immutable; and it would listen at every address.
_PRELOAD = """import net from "node:net";
const plainFetch = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const answer = await plainFetch(...request);
  return new Response(answer.body, answer);
};
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, host, ...rest) {
  return listen.call(this, port, host ?? "127.0.0.1", ...rest);
};
"""


async def start_portkey(site: Site) -> System:
    """Start it as in production, with what it needs to answer at all. BenchError when there is no Node."""
    node = program("node")
    modules = await site.environments.node(SOURCE)
    [port] = free_ports(1)
    preload = site.folder / "preload.mjs"
    preload.write_text(_PRELOAD)
    start = modules / _PACKAGE / "build" / "start-server.js"
    command: list[str | Path] = [node, "--import", preload, start, "--headless", f"--port={port}"]
    running = await site.processes.start("portkey", command, {"NODE_ENV": "production"})
    await running.until("GET /", partial(is_ready, port, "/"))
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{site.upstream.url}/v1"}
    version = f"{pinned()} on Node {await output_of(node, '--version')}"
    return side(site, running, port, version, CompletionsTarget(headers=headers))


def pinned() -> str:
    """Return the version that is installed."""
    version: str = json.loads((SOURCE / "package.json").read_text())["dependencies"][_PACKAGE]
    return version
