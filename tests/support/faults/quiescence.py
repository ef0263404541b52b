"""What is left over although nobody works: nothing, at rest."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from tests.support.faults.cluster import Cluster
from tests.support.faults.node import Node
from wire import keys

_ZERO = ("bing_active_answers", "bing_channels", "bing_sockets", "bing_slots_used", "bing_leases")


def await_quiescence(cluster: Cluster, limit: float = 15.0) -> None:
    """Wait until nothing is left over. AssertionError."""
    deadline = time.monotonic() + limit
    while (remains := leftovers(cluster)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not remains, f"not at rest after {limit} s: {remains}"


def leftovers(cluster: Cluster) -> list[str]:
    """One sentence for each."""
    remains = [f"{node.name} has crashed, see {node.log}" for node in cluster.nodes if node.crashed]
    remains += [*_lines(cluster), *_tokens(cluster), *_keys(cluster), *_subscriptions(cluster)]
    for node in [*cluster.gateways, *cluster.workers]:
        remains += _busy(cluster, node)
    return remains + [
        f"a connection is left: {turn['question']}" for turn in cluster.ledger()["turns"] if not turn["ended"]
    ]


def _lines(cluster: Cluster) -> Iterator[str]:
    """Of clients that wait for turns; and workers with free places that aren't there."""
    for kind in ("ring", "again", "credit", "jobs"):
        for name in cluster.names(f"{keys.prefix()}{keys.NAMES[kind]}*"):
            yield f"{name!r} is left"
    idle: Any = cluster.client.zrange(keys.idle_key(), 0, -1)
    for worker in sorted({name.decode() for name in idle} - set(cluster.alive())):
        yield f"{worker} is gone and has free places"


def _tokens(cluster: Cluster) -> Iterator[str]:
    """Leases, and jobs that run."""
    tokens = cluster.names(keys.token_key("*"))
    with cluster.client.pipeline(transaction=False) as pipe:
        for token in tokens:
            pipe.hmget(token, ["running", "owner"])
        states = pipe.execute()
    for token, (running, owner) in zip(tokens, states, strict=True):
        if running or owner:
            yield f"{token!r} runs {running!r} and is owned by {owner!r}"


def _keys(cluster: Cluster) -> Iterator[str]:
    if cluster.client.zcard(keys.queued_key()):
        yield "jobs wait"
    for pattern in (keys.owned_key("*"), keys.stops_key("*"), keys.client_key("*"), keys.mailbox_key("*")):
        for name in cluster.names(pattern):
            yield f"{name!r} is left"


def _subscriptions(cluster: Cluster) -> Iterator[str]:
    """Other than processes' probes and the bells of workers that are there."""
    bells = {keys.bell_channel(worker).encode() for worker in cluster.alive()}
    for channel in cluster.client.pubsub_channels():
        if b"probe:" not in channel and channel not in bells:
            yield f"{channel!r} is subscribed"


def _busy(cluster: Cluster, node: Node) -> list[str]:
    """The gauges that aren't zero. A process that isn't there has none."""
    try:
        gauges = cluster.gauges(node) if node.running else {}
    except httpx.TransportError:
        return []
    return [f"{node.name} has {name} {gauges[name]:g}" for name in _ZERO if gauges.get(name)]
