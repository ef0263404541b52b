"""Which conversation a list of messages goes on with: the API has none, so they are known by their questions."""

import os
from collections import OrderedDict
from dataclasses import dataclass

from emulator.openai.messages import digest

KEPT = 200_000


@dataclass
class Thread:
    """requests: how many came in this conversation so far."""

    id: str
    requests: int = 0


class Threads:
    """Threads by what was asked in them; beyond `kept` the one longest unused is forgotten.

    Only the user's questions count, so that it makes no difference how much of an answer a client has kept, or whether
    it leaves out a question that failed. Two clients that asked the same are one thread.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._threads: OrderedDict[str, Thread] = OrderedDict()
        self._kept = kept

    def enter(self, before: tuple[str, ...], question: str) -> Thread:
        """The thread of a question that comes after these, a new one if they are unknown; counts the request."""
        thread = self._threads.get(digest(before)) if before else None
        thread = thread or Thread(f"thread_{os.urandom(12).hex()}")
        thread.requests += 1
        for asked in (before, (*before, question)):
            if asked:
                self._keep(digest(asked), thread)
        return thread

    def _keep(self, name: str, thread: Thread) -> None:
        self._threads[name] = thread
        self._threads.move_to_end(name)
        if len(self._threads) > self._kept:
            self._threads.popitem(last=False)

    def __len__(self) -> int:
        return len(self._threads)

    def clear(self) -> None:
        self._threads.clear()
