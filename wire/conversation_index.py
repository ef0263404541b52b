"""Where conversations stand that their clients tell in full each time: which token goes on with which messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wire import keys
from wire.redis.errors import translate_errors
from wire.redis.store import Store
from wire.scripts import encode_arguments


@dataclass(frozen=True)
class IndexedConversation:
    """A conversation whose last answer is `answer`."""

    token: str
    answer: str


@dataclass(frozen=True)
class ConversationIndex:
    """An index of states, each a digest of the caller's without a space, for `ttl` seconds; at most `limit` of them.

    A state that was found may be out of date: the job's `after` tells.
    """

    store: Store
    ttl: int
    limit: int

    async def find(self, state: str) -> IndexedConversation | None:
        """The conversation that stands there, if one is known. StoreUnavailableError."""
        with translate_errors():
            found: Any = await self.store.commands.get(keys.conversation_key(state))
        return IndexedConversation(*found.decode().split(" ")) if found else None

    async def record(self, standing: IndexedConversation, states: Sequence[str], stale: Sequence[str]) -> None:
        """The conversation stands at each of `states`, and no longer at the `stale` ones. StoreUnavailableError."""
        await self.store.run(
            "note",
            keys.conversations_key(),
            keys.prefix(),
            encode_arguments(
                token=standing.token,
                answer=standing.answer,
                ttl=self.ttl,
                limit=self.limit,
                stale=stale,
                states=states,
            ),
        )
