"""Conversations over an API that has none: finds the token that a question continues.

A state is a digest of the client and of the message history up to an answer: a request with the same history continues
the conversation. States and tokens can't be computed without the gateways' secret.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from wire.about import weigh_messages
from wire.conversation_index import ConversationIndex as Index
from wire.conversation_index import IndexedConversation
from wire.errors import StoreUnavailableError
from wire.hmac_secret import HmacSecret
from wire.prompt import Message, Refusal, Text
from wire.prompt_digest import canonical_message
from wire.threads import run_sized

_LOG = structlog.get_logger()


@dataclass(frozen=True)
class ConversationDigests:
    """The digests of one client, `scope`."""

    secret: bytes
    scope: str

    def digest(self, *parts: str) -> str:
        """Return the digest of `parts`."""
        return hmac.digest(self.secret, json.dumps([self.scope, *parts]).encode(), hashlib.sha256).hex()

    def history_state(self, messages: Iterable[Message], start: str = "") -> str:
        """Return the state of a conversation after `messages`, from the state `start` on."""
        state = start or self.digest("conversation")
        for message in messages:
            state = self.digest("said", state, *_said(message))
        return state

    @property
    def owner(self) -> str:
        """The client, for what nobody else may continue from."""
        return self.digest("owner")

    def derive_token(self, name: str) -> str:
        """Return the token of the conversation that its client has given a name."""
        return str(uuid.UUID(hex=self.digest("token", name)[:32], version=4))


@dataclass(frozen=True)
class Thread:
    """The conversation that a question continues.

    `indexed` is its token and the answer to continue from ('' for the last one); None begins a new conversation.
    One that is `named` by its client is created if it doesn't exist. After the answer the conversation is found by
    `state` ('' for one that isn't found by its history), and no longer by the `stale` states.
    """

    digests: ConversationDigests
    indexed: IndexedConversation | None
    named: bool = False
    state: str = ""
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConversationLookup:
    """Finds conversations and keeps their index."""

    secret: HmacSecret
    index: Index

    async def load_digests(self, scope: str) -> ConversationDigests:
        """Return the digests of a client. StoreUnavailableError."""
        return ConversationDigests(await self.secret.read_recent(), scope)

    def find_by_name(self, digests: ConversationDigests, name: str) -> Thread:
        """Return the conversation that its client has given a name."""
        return Thread(digests, IndexedConversation(digests.derive_token(name), ""), named=True)

    async def find_by_history(self, digests: ConversationDigests, messages: Sequence[Message], known: int) -> Thread:
        """Return the conversation with the first `known` messages, before the question. StoreUnavailableError."""
        before, after = await run_sized(weigh_messages(messages), _states_around, digests, messages, known)
        indexed = await self.index.find(before) if known else None
        if indexed is None:
            return Thread(digests, None, state=after)
        return Thread(digests, indexed, state=after, stale=(before,))

    async def record(self, client: str, thread: Thread, indexed: IndexedConversation, answer: Message) -> None:
        """Index a client's conversation after an answer.

        Without Redis the next question finds nothing, and begins a conversation that gets the whole history.
        """
        if not thread.state:
            return
        size = weigh_messages([answer])
        states = [await run_sized(size, thread.digests.history_state, [answer], thread.state)]
        try:
            await self.index.record(client, indexed, states, thread.stale)
        except StoreUnavailableError as error:
            _LOG.warning("could not save the conversation index", answer=indexed.answer, cause=str(error))


def _states_around(digests: ConversationDigests, messages: Sequence[Message], known: int) -> tuple[str, str]:
    """Return the states before the question and after it."""
    before = digests.history_state(messages[:known])
    return before, digests.history_state(messages[known:], before)


def _said(message: Message) -> list[str]:
    """Return what was said in a message: its role and text as ever, and all else without ids and extra fields."""
    same = canonical_message(message)
    others = [part for part in same.parts if not isinstance(part, Text | Refusal)]
    more = [msgspec.json.encode((others, same.calls)).decode()] if others or same.calls else []
    return ["system" if message.role == "developer" else message.role, message.text.strip(), *more]
