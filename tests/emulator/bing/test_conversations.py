from typing import Any

import pytest

from emulator.accounts import ANONYMOUS, EmulatorAccount
from emulator.bing.conversations import LIFETIME, ChatHubConversation, ChatHubConversations, find_refusal

NOW = 1_000.0


def create(name: str = "a1", header_only: bool = False) -> ChatHubConversation:
    return ChatHubConversations().create(EmulatorAccount(name), NOW, header_only)


def refusal_of(conversation: ChatHubConversation | None, **changes: Any) -> str | None:
    """Return the refusal of a first question that fits, but for these changes."""
    request = {
        "conversationSignature": conversation and conversation.signature,
        "participant": {"id": conversation and conversation.client},
        "isStartOfSession": True,
    }
    other: dict[str, Any] = {"invocation": "3", "account": "a1", "token": None, "now": NOW}
    request |= {name: value for name, value in changes.items() if name not in other}
    other |= {name: value for name, value in changes.items() if name in other}
    return find_refusal(conversation, request, **other)


def test_the_limit_depends_on_the_account() -> None:
    assert (create("a1").limit, create(ANONYMOUS).limit) == (30, 5)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"now": NOW + LIFETIME}, "invalid-session"),
        ({"account": "a2"}, "unauthorized"),
        ({"conversationSignature": None}, "unauthorized-signature"),
        ({"conversationSignature": "x"}, "unauthorized-expired"),
        ({"participant": {"id": "x"}}, "invalid-session"),
        ({"participant": None}, "invalid-session"),
        ({"invocation": "x"}, "invalid-session"),
        ({"invocation": "4"}, "invalid-session"),
        ({"invocation": "4", "isStartOfSession": False}, None),
        ({"isStartOfSession": False}, "invalid-session"),
    ],
)
def test_a_question_must_fit_its_conversation(changes: dict[str, Any], refusal: str | None) -> None:
    assert refusal_of(create(), **changes) == refusal


def test_an_invocation_must_be_higher_than_the_one_before() -> None:
    conversation = create()
    conversation.last_invocation = 3
    assert refusal_of(conversation) == "invalid-session"


def test_an_unknown_conversation_is_refused() -> None:
    assert refusal_of(None) == "invalid-session"


def test_signatures_only_in_headers_need_the_access_token() -> None:
    conversation = create(header_only=True)
    assert refusal_of(conversation) == "unauthorized-signature"
    assert refusal_of(conversation, token=conversation.access_token) is None


def test_the_oldest_conversation_is_forgotten() -> None:
    known = ChatHubConversations(limit=2)
    ids = [known.create(EmulatorAccount("a1"), NOW).id for _ in range(3)]
    assert [known.get(identity) is not None for identity in ids] == [False, True, True]
    known.drop(ids[1])
    assert known.get(ids[1]) is None
    known.clear()
    assert known.get(ids[2]) is None
