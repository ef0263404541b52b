"""What is left over although nobody works: nothing, at rest."""

import contextlib
import time
from collections.abc import Iterator

import httpx
import redis

from tests.support.faults.cluster import Cluster, Node
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
    remains += [*_entries(cluster), *_tokens(cluster), *_keys(cluster), *_subscriptions(cluster)]
    for node in [*cluster.gateways, *cluster.workers]:
        remains += _busy(cluster, node)
    return remains + [
        f"a connection is left: {turn['question']}" for turn in cluster.ledger()["turns"] if not turn["ended"]
    ]


def _entries(cluster: Cluster) -> Iterator[str]:
    """In the schedule's streams; those of workers that are gone shall be gone too."""
    alive = {keys.own_stream(worker).encode() for worker in cluster.alive()}
    for name in cluster.names(keys.own_stream("*")):
        if name not in alive:
            yield f"{name!r} is left"
    for stream in [keys.shared_stream().encode(), *alive]:
        if cluster.client.xlen(stream):
            yield f"{stream!r} holds entries"
        # A worker that leaves takes its stream along, at any moment.
        with contextlib.suppress(redis.ResponseError):
            if cluster.client.xpending(stream, keys.GROUP)["pending"]:
                yield f"{stream!r} has pending entries"


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
    for channel in cluster.client.pubsub_channels():
        # Each process listens to its own probe, and each worker to its bell.
        if b"probe:" not in channel and b"bell:" not in channel:
            yield f"{channel!r} is subscribed"


def _busy(cluster: Cluster, node: Node) -> list[str]:
    """The gauges that aren't zero. A process that isn't there has none."""
    try:
        gauges = cluster.gauges(node) if node.running else {}
    except httpx.TransportError:
        return []
    return [f"{node.name} has {name} {gauges[name]:g}" for name in _ZERO if gauges.get(name)]
