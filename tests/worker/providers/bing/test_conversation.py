from typing import Any

import httpx
import msgspec
import pytest

from worker.errors import UpstreamError
from worker.providers.bing.conversation import (
    LONGEST_STATE,
    BingConversation,
    decode_conversation,
    encode_conversation,
    parse_creation,
)

BODY = {
    "conversationId": "c",
    "clientId": "p",
    "conversationSignature": "s",
    "result": {"value": "Success", "message": None},
}
CHAT = "wss://chat.example/ChatHub"


def answer(status: int = 200, headers: Any = None, **changes: Any) -> BingConversation:
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
    return parse_creation(status, httpx.Headers(headers), msgspec.json.encode(body))


def test_a_signature_in_the_body_is_taken() -> None:
    assert answer() == BingConversation("c", "p", "s", None)


def test_a_signature_in_the_headers_is_taken() -> None:
    headers = {"X-Sydney-ConversationSignature": "h", "X-Sydney-EncryptedConversationSignature": "e+/="}
    assert answer(headers=headers, conversationSignature=None) == BingConversation("c", "p", "h", "e+/=")


def test_the_access_token_alone_is_enough() -> None:
    headers = {"X-Sydney-EncryptedConversationSignature": "e"}
    assert answer(headers=headers, conversationSignature=None) == BingConversation("c", "p", None, "e")


def test_the_access_token_is_part_of_the_chats_address() -> None:
    assert BingConversation("c", "p", "s").address(CHAT) == CHAT
    assert BingConversation("c", "p", "s", "a+/=").address(CHAT) == CHAT + "?sec_access_token=a%2B%2F%3D"
    assert BingConversation("c", "p", "s", "a").address(CHAT + "?x=1") == CHAT + "?x=1&sec_access_token=a"


@pytest.mark.parametrize("conversation", [BingConversation("c", "p", "s"), BingConversation("c", "p", None, "e")])
def test_a_saved_conversation_comes_back_whole(conversation: BingConversation) -> None:
    assert decode_conversation(encode_conversation(conversation)) == conversation


@pytest.mark.parametrize("state", [b"", b"{}", b"null", b"\xff", b'{"conversation_id":1}'])
def test_a_state_that_cant_be_read_asks_for_a_fresh_conversation(state: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        decode_conversation(state)
    assert (caught.value.reason, caught.value.refused) == ("session.expired", True)


@pytest.mark.parametrize(
    ("status", "reason", "refused"),
    [
        (401, "account.unauthorized", True),
        (403, "account.unauthorized", True),
        (429, "account.throttled", True),
        (404, "upstream.internal", False),
        (500, "upstream.internal", False),
        (503, "upstream.internal", False),
        (301, "upstream.protocol", False),
        (204, "upstream.protocol", False),
    ],
)
def test_a_status_other_than_200_is_an_error(status: int, reason: str, refused: bool) -> None:
    with pytest.raises(UpstreamError) as caught:
        answer(status)
    assert (caught.value.reason, caught.value.refused) == (reason, refused)


@pytest.mark.parametrize(
    ("value", "reason", "refused"),
    [
        ("UnauthorizedRequest", "account.unauthorized", True),
        ("Forbidden", "account.unauthorized", True),
        ("Throttled", "account.throttled", True),
        ("CaptchaChallenge", "account.captcha", True),
        ("InternalServerError", "upstream.internal", False),
        ("Surprise", "upstream.protocol", False),
    ],
)
def test_a_result_other_than_success_is_an_error(value: str, reason: str, refused: bool) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_creation(200, httpx.Headers(), msgspec.json.encode({"result": {"value": value, "message": "why"}}))
    assert (caught.value.reason, caught.value.refused) == (reason, refused)
    assert caught.value.detail == value


@pytest.mark.parametrize(
    "body", [b"", b"<html>home</html>", b"[]", b"\xff\xfe", b"[" * 99_999, b'{"clientId": 5}', b"{}"]
)
def test_a_body_without_a_conversation_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_creation(200, httpx.Headers({"content-type": "text/html"}), body)
    assert caught.value.reason == "upstream.protocol"
    assert "home" not in caught.value.detail


@pytest.mark.parametrize("place", ["conversationId", "clientId", "conversationSignature", "header"])
def test_ids_and_keys_that_are_too_long_to_keep_are_a_protocol_error(place: str) -> None:
    headers = {"x-sydney-encryptedconversationsignature": "x" * LONGEST_STATE} if place == "header" else {}
    body = BODY if place == "header" else {**BODY, place: "x" * LONGEST_STATE}
    with pytest.raises(UpstreamError) as caught:
        parse_creation(200, httpx.Headers(headers), msgspec.json.encode(body))
    assert caught.value.reason == "upstream.protocol"


@pytest.mark.parametrize("missing", ["conversationId", "clientId", "conversationSignature"])
def test_a_conversation_without_its_ids_is_a_protocol_error(missing: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_creation(200, httpx.Headers(), msgspec.json.encode({**BODY, missing: None}))
    assert caught.value.reason == "upstream.protocol"


@pytest.mark.parametrize(
    ("header", "seconds"), [({}, 3600), ({"retry-after": "90"}, 90), ({"retry-after": "tomorrow"}, 3600)]
)
def test_a_refusal_over_http_lasts_as_long_as_it_says_or_an_hour(header: dict[str, str], seconds: float) -> None:
    with pytest.raises(UpstreamError) as refused:
        parse_creation(429, header, b"")
    assert refused.value.retry_after == seconds
