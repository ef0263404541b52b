"""Whether a server has replicas: then what nobody may lose counts only once one of them has it."""

import asyncio

# A cluster's usual node-timeout, in seconds: a primary that is cut off from all others has noticed by then.
_NODE_TIMEOUT = 15.0
# Seconds between two looks at a server's role, and one more.
_LOOKS = 6.0


class Replicas:
    """What is known of one server's replicas.

    `node_timeout` is its cluster's, where that is known. `can_be_awaited`: the server has not forbidden WAIT.
    """

    def __init__(self) -> None:
        self.can_be_awaited = True
        self.node_timeout = _NODE_TIMEOUT
        self._seen = float("-inf")

    def record(self, count: int) -> None:
        """Take note of how many the server has, or how many have what was written."""
        if count:
            self._seen = asyncio.get_running_loop().time()

    @property
    def are_expected(self) -> bool:
        """Whether the server has replicas that can be awaited, or had one so lately that it may be cut off from it."""
        return self.can_be_awaited and asyncio.get_running_loop().time() - self._seen <= self.node_timeout + _LOOKS
