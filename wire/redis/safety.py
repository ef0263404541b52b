"""What a fail-over may lose, or ask twice, because of how servers are set up: one sentence each."""

import re

_REPLICAS = re.compile(rb"^connected_slaves:(\d+)", re.MULTILINE)
# INFO has this line only where min-replicas-to-write is set.
_MIN_REPLICAS = re.compile(rb"^min_slaves_good_slaves:", re.MULTILINE)


def find_risk(replication: bytes, *, clustered: bool, alone: bool, awaited: bool = True) -> str:
    """Return the sentence that holds for a primary, '' if none does.

    `replication` is that section of its INFO; `clustered`: it is a node of a cluster, and no sentinels watch it;
    `alone`: it has had no replica for long, so that writes are accepted on its word only; `awaited`: it allows to wait
    for one. CONFIG isn't asked, which many servers forbid.
    """
    count = _REPLICAS.search(replication)
    replicas, limited = int(count[1]) if count else 0, bool(_MIN_REPLICAS.search(replication))
    if replicas == 0 and alone:
        return "it has no replica: what it takes is lost if it fails"
    if replicas and not awaited:
        return "it forbids WAIT: what it takes may be lost if it fails"
    if not clustered and not limited:
        return "it lacks min-replicas-to-write 1: cut off from the sentinels it takes what is thrown away afterwards"
    if clustered and limited and replicas == 1:
        return "it has min-replicas-to-write and one replica: after a fail-over nothing is accepted until that is back"
    return ""
