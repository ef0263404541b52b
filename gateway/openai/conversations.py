"""Conversations over an API without any: which token a question goes on with.

A state is a digest of who asks and of all that was said up to an answer: whoever comes back with just that goes on from
there. Nobody can tell a state, or a token, who doesn't know the gateways' secret.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from gateway.openai.messages import Talk
from wire.conversation_index import ConversationIndex as Index
from wire.conversation_index import IndexedConversation
from wire.errors import StoreUnavailableError
from wire.hmac_secret import HmacSecret
from wire.messages import HistoryMessage

_LOG = structlog.get_logger()


@dataclass(frozen=True)
class Digests:
    """Digests for one client, `scope`."""

    secret: bytes
    scope: str

    def digest(self, *parts: str) -> str:
        """A digest of parts."""
        return hmac.digest(self.secret, json.dumps([self.scope, *parts]).encode(), hashlib.sha256).hex()

    def state(self, said: Iterable[HistoryMessage], start: str = "") -> str:
        """Where a conversation stands after all that was said, beginning at the state `start`."""
        state = start or self.digest("conversation")
        for one in said:
            state = self.digest("said", state, one.role, one.text.strip())
        return state

    def response(self, answer: str) -> str:
        """Where a conversation stands after an answer that is gone on from by its id."""
        return self.digest("response", answer)

    def token(self, name: str) -> str:
        """The token of the conversation that its client calls so."""
        return str(uuid.UUID(hex=self.digest("token", name)[:32], version=4))


@dataclass(frozen=True)
class Thread:
    """How a question goes on with a conversation.

    `standing`: with which one, and from which of its answers ('' for whichever is the last); None begins another.
    `named` by its client, it begins if it isn't there. The answer is known by `state` ('' if nobody will ask for it by
    that); `stale` are the states that the conversation leaves.
    """

    digests: Digests
    standing: IndexedConversation | None
    named: bool = False
    state: str = ""
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConversationLookup:
    """Finds conversations, and notes where they stand."""

    secret: HmacSecret
    index: Index

    async def of(self, scope: str) -> Digests:
        """The digests of a client. StoreUnavailableError."""
        return Digests(await self.secret.read(), scope)

    def named(self, digests: Digests, name: str) -> Thread:
        """The conversation that its client calls so."""
        return Thread(digests, IndexedConversation(digests.token(name), ""), named=True)

    async def after(self, digests: Digests, answer: str) -> Thread:
        """The conversation whose last answer is that. StoreUnavailableError."""
        state = digests.response(answer)
        return Thread(digests, await self.index.find(state), stale=(state,))

    async def told(self, digests: Digests, talk: Talk) -> Thread:
        """The conversation of which everything up to the question was said. StoreUnavailableError."""
        before = digests.state(talk.said[: talk.known])
        after = digests.state(talk.said[talk.known :], before)
        standing = await self.index.find(before) if talk.known else None
        if standing is None:
            return Thread(digests, None, state=after)
        return Thread(digests, standing, state=after, stale=(before, digests.response(standing.answer)))

    async def note(self, thread: Thread, standing: IndexedConversation, text: str, *, kept: bool) -> None:
        """The answer `text` has been given; `kept`: it may be gone on from by its id.

        Without Redis the next question finds nothing, and begins a conversation that is told what was said.
        """
        digests = thread.digests
        states = [digests.state([HistoryMessage("assistant", text)], thread.state)] if thread.state else []
        states += [digests.response(standing.answer)] if kept else []
        if not states and not thread.stale:
            return
        try:
            await self.index.record(standing, states, thread.stale)
        except StoreUnavailableError as error:
            _LOG.warning("conversation not noted", answer=standing.answer, cause=str(error))
