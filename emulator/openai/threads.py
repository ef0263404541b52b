"""Which conversation a list of messages continues: the API has none, so they are recognized by their questions."""

import os
from collections import OrderedDict
from dataclasses import dataclass

from emulator.openai.message_history import digest

LIMIT = 200_000


@dataclass
class ConversationThread:
    """A conversation. requests: how many came in this conversation so far."""

    id: str
    requests: int = 0


class ThreadIndex:
    """Threads by the questions in them; beyond `kept` the one longest unused is forgotten.

    Only the user's questions count, so that it makes no difference how much of an answer a client has kept, or whether
    it leaves out a question that failed. Two clients with the same questions share one thread.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._threads: OrderedDict[str, ConversationThread] = OrderedDict()
        self._limit = limit

    def enter(self, before: tuple[str, ...], question: str) -> ConversationThread:
        """Return the thread of a question after these, a new one if they are unknown, and count the request."""
        thread = self._threads.get(digest(before)) if before else None
        thread = thread or ConversationThread(f"thread_{os.urandom(12).hex()}")
        thread.requests += 1
        for questions in (before, (*before, question)):
            if questions:
                self._keep(digest(questions), thread)
        return thread

    def _keep(self, name: str, thread: ConversationThread) -> None:
        self._threads[name] = thread
        self._threads.move_to_end(name)
        if len(self._threads) > self._limit:
            self._threads.popitem(last=False)

    def __len__(self) -> int:
        return len(self._threads)

    def clear(self) -> None:
        """Forget every thread."""
        self._threads.clear()
