"""What Redis still has of questions once all of them are over and forgotten: nothing."""

from collections import Counter

from tests.support.faults.cluster import Cluster
from wire import keys

# What processes and accounts have as long as they live, and what is known of the service as a whole.
LASTING = {
    "worker",
    "workers",
    "processes",
    "facts",
    "minute",
    "events",
    "run",
    "rate",
    "secret",
    "idle",
    "took",
    "looks",
}
LASTING |= {"accounts", "account", "spent", "listed", "listing", "few", "picture_sums", "blame", "day"}
# Longest first: a name may begin with another one.
_KINDS = sorted(keys.NAMES.items(), key=lambda kind: -len(kind[1]))


def remains(cluster: Cluster) -> Counter[str]:
    """Return how many keys there are of each kind that is about questions, answers or clients."""
    found = Counter[str]()
    for shard in (keys.SHARD, keys.LEDGER):
        prefix = keys.prefix(shard)
        for key in cluster.names(f"{prefix}*"):
            found[_kind(key.decode().removeprefix(prefix))] += 1
    return Counter({kind: count for kind, count in found.items() if kind not in LASTING})


def bytes_for_the_day(cluster: Cluster) -> int:
    """Return what Redis takes for what it is to remember of questions for a day: each account's, and the charts."""
    patterns = (keys.spent_key("*"), f"{keys.prefix(keys.LEDGER)}{keys.NAMES['minute']}*")
    names = [name for pattern in patterns for name in cluster.names(pattern)]
    return sum(int(cluster.client.memory_usage(name, samples=0) or 0) for name in names)


def _kind(name: str) -> str:
    for kind, start in _KINDS:
        if name == start or (start.endswith(":") and name.startswith(start)):
            return kind
    return name
