"""Conversations, and whether a question fits the one it names."""

import base64
import os
import random
from collections import OrderedDict
from dataclasses import dataclass

from emulator.accounts import EmulatorAccount
from emulator.json_text import Json

LIFETIME = 6 * 3600.0
SIGNED_IN_TURNS = 30
SIGNED_OUT_TURNS = 5
LIMIT = 200_000
FIRST_INVOCATION = "3"


@dataclass
class ChatHubConversation:
    """A conversation with Bing.

    `signature` goes into each question; `access_token` into the socket's query when only headers carried both.
    """

    id: str
    client: str
    signature: str
    access_token: str
    account: str
    limit: int
    expires: float
    header_only: bool = False
    disengaged: bool = False
    turns: int = 0
    last_invocation: int = -1
    previous: str | None = None

    def remember(self, question: str) -> None:
        """Count a question and keep it for the next answer."""
        self.turns += 1
        self.previous = question


class ChatHubConversations:
    """Conversations by id; beyond `kept` the oldest is forgotten."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._conversations: OrderedDict[str, ChatHubConversation] = OrderedDict()

    def create(self, account: EmulatorAccount, now: float, header_only: bool = False) -> ChatHubConversation:
        """Return a new conversation of this account."""
        kind = "BingProd" if account.signed_in else "BingProdUnAuthenticatedUsers"
        conversation = ChatHubConversation(
            id=f"51D|{kind}|{os.urandom(32).hex().upper()}",
            client=str(random.randrange(10**14, 10**15)) if account.signed_in else os.urandom(16).hex().upper(),
            signature=base64.b64encode(os.urandom(32)).decode(),
            access_token=base64.b64encode(os.urandom(120)).decode(),
            account=account.name,
            limit=SIGNED_IN_TURNS if account.signed_in else SIGNED_OUT_TURNS,
            expires=now + LIFETIME,
            header_only=header_only,
        )
        self._conversations[conversation.id] = conversation
        if len(self._conversations) > self._limit:
            self._conversations.popitem(last=False)
        return conversation

    def get(self, conversation_id: str) -> ChatHubConversation | None:
        """Return a conversation by its id."""
        return self._conversations.get(conversation_id)

    def drop(self, conversation_id: str) -> None:
        """Forget one conversation."""
        self._conversations.pop(conversation_id, None)

    def clear(self) -> None:
        """Forget every conversation."""
        self._conversations.clear()


def find_refusal(
    conversation: ChatHubConversation | None,
    request: Json,
    invocation: str,
    account: str,
    token: str | None,
    now: float,
) -> str | None:
    """Return the outcome that refuses this question, or None if it fits its conversation.

    request: the question's argument as the client sent it. token: the socket's sec_access_token.
    """
    if conversation is None or now >= conversation.expires:
        return "invalid-session"
    if account != conversation.account:
        return "unauthorized"
    if conversation.header_only and token != conversation.access_token:
        return "unauthorized-signature"
    signature = request.get("conversationSignature")
    if signature is None and not conversation.header_only:
        return "unauthorized-signature"
    if signature not in (None, conversation.signature):
        return "unauthorized-expired"
    participant = request.get("participant")
    if not isinstance(participant, dict) or participant.get("id") != conversation.client:
        return "invalid-session"
    if not invocation.isdecimal() or int(invocation) <= conversation.last_invocation:
        return "invalid-session"
    if bool(request.get("isStartOfSession")) != (invocation == FIRST_INVOCATION):
        return "invalid-session"
    return None
