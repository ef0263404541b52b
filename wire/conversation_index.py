"""Index from a digest of the message history to the token that continues it.

For clients that send the whole history each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wire import keys
from wire.redis.store import Store
from wire.scripts import encode_arguments

# A client may have this part of the index, so that no one client pushes out those of all others.
CLIENT_PART = 4


@dataclass(frozen=True)
class IndexedConversation:
    """A conversation whose last answer is `answer`."""

    token: str
    answer: str


@dataclass(frozen=True)
class ConversationIndex:
    """Index of states, each a digest without a space, for `ttl` seconds; at most `limit` of them.

    The oldest make room, those of a client that has its part, and else those of all. A state that was found may be out
    of date: submitting a job with `after` detects that.
    """

    store: Store
    ttl: int
    limit: int

    async def find(self, state: str) -> IndexedConversation | None:
        """Return the conversation in that state, if one is known. StoreUnavailableError."""
        value: bytes | None = await self.store.execute("GET", keys.conversation_key(state))
        return IndexedConversation(*value.decode().split(" ")) if value else None

    async def record(
        self, client: str, conversation: IndexedConversation, states: Sequence[str], stale: Sequence[str]
    ) -> None:
        """Add the `states` of a client's conversation, and remove its `stale` ones. StoreUnavailableError."""
        await self.store.run(
            "note",
            keys.conversations_key(),
            keys.prefix(),
            encode_arguments(
                client=client,
                token=conversation.token,
                answer=conversation.answer,
                ttl=self.ttl,
                limit=self.limit,
                share=max(1, self.limit // CLIENT_PART),
                stale=stale,
                states=states,
            ),
        )
