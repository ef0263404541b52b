"""Whether a server has replicas: then what nobody may lose counts only once one of them has it."""

import asyncio

# Seconds since a server had a replica until it is taken for one that has none. A primary that is cut off from all
# others has noticed by then: a cluster's usual node-timeout of 15 s, and the time between two looks at its role.
_ALONE_AFTER = 20.0


class Replicas:
    """What is known of one server's replicas."""

    def __init__(self) -> None:
        self._seen = float("-inf")

    def record(self, count: int) -> None:
        """Take note of how many the server has, or how many have what was written."""
        if count:
            self._seen = asyncio.get_running_loop().time()

    @property
    def are_expected(self) -> bool:
        """Whether the server has replicas, or had one so lately that it may be cut off from it."""
        return asyncio.get_running_loop().time() - self._seen <= _ALONE_AFTER
