"""What is left over although nobody works: nothing, at rest."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from tests.support.faults.breakable_system import BreakableSystem
from tests.support.faults.node import Node
from wire import keys

_ZERO = ("bing_active_answers", "bing_channels", "bing_sockets", "bing_slots_used", "bing_leases")


def await_quiescence(system: BreakableSystem, limit: float = 15.0) -> None:
    """Wait until nothing is left over. AssertionError."""
    deadline = time.monotonic() + limit
    while (remains := leftovers(system)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not remains, f"not at rest after {limit} s: {remains}"


def leftovers(system: BreakableSystem) -> list[str]:
    """One sentence for each."""
    remains = [f"{node.name} has crashed, see {node.log}" for node in system.nodes if node.crashed]
    remains += [*_lines(system), *_tokens(system), *_keys(system), *_subscriptions(system)]
    for node in [*system.gateways, *system.workers]:
        remains += _busy(system, node)
    return remains + [
        f"a connection is left: {turn['question']}" for turn in system.ledger()["turns"] if not turn["ended"]
    ]


def _lines(system: BreakableSystem) -> Iterator[str]:
    """Of clients that wait for turns; and workers with free places that aren't there."""
    for kind in ("ring", "again", "credit", "jobs"):
        for name in system.names(f"{keys.prefix()}{keys.NAMES[kind]}*"):
            yield f"{name!r} is left"
    idle: Any = system.client.zrange(keys.idle_key(), 0, -1)
    for worker in sorted({name.decode() for name in idle} - set(system.alive())):
        yield f"{worker} is gone and has free places"


def _tokens(system: BreakableSystem) -> Iterator[str]:
    """Leases, and jobs that run."""
    tokens = system.names(keys.token_key("*"))
    with system.client.pipeline(transaction=False) as pipe:
        for token in tokens:
            pipe.hmget(token, ["running", "owner"])
        states = pipe.execute()
    for token, (running, owner) in zip(tokens, states, strict=True):
        if running or owner:
            yield f"{token!r} runs {running!r} and is owned by {owner!r}"


def _keys(system: BreakableSystem) -> Iterator[str]:
    if system.client.zcard(keys.queued_key()):
        yield "jobs wait"
    for pattern in (keys.owned_key("*"), keys.stops_key("*"), keys.client_key("*"), keys.mailbox_key("*")):
        for name in system.names(pattern):
            yield f"{name!r} is left"


def _subscriptions(system: BreakableSystem) -> Iterator[str]:
    for channel in sorted(system.channels(system.client)):
        yield f"{channel!r} is subscribed"


def _busy(system: BreakableSystem, node: Node) -> list[str]:
    """The gauges that aren't zero. A process that isn't there has none."""
    try:
        gauges = system.gauges(node) if node.running else {}
    except httpx.TransportError:
        return []
    return [f"{node.name} has {name} {gauges[name]:g}" for name in _ZERO if gauges.get(name)]
