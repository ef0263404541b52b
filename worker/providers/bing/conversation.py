"""A conversation at Bing: what its creation answers, and what is saved to go on with it."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from worker.errors import UpstreamError
from worker.providers.bing.errors import map_create_failure
from worker.providers.bing.frames import ChatHubResult


class BingConversation(msgspec.Struct, frozen=True):
    """The ids and keys of one conversation.

    Older servers want the `signature` in each question; newer ones give it in a header, with an `access_token` for the
    chat's address beside it.
    """

    conversation_id: str
    client_id: str
    signature: str | None
    access_token: str | None = None

    def address(self, chat_url: str) -> str:
        """Where to ask in this conversation."""
        if self.access_token is None:
            return chat_url
        return f"{chat_url}{'&' if '?' in chat_url else '?'}sec_access_token={quote(self.access_token, safe='')}"


class _CreationResponse(msgspec.Struct, rename="camel"):
    conversation_id: str | None = None
    client_id: str | None = None
    conversation_signature: str | None = None
    result: ChatHubResult | None = None


_HOUR = 3600.0
_LONGEST_NUMBER = 8

_saved = msgspec.json.Decoder(BingConversation)
_created = msgspec.json.Decoder(_CreationResponse)


def encode_conversation(conversation: BingConversation) -> bytes:
    """The conversation as JSON."""
    return msgspec.json.encode(conversation)


def decode_conversation(state: bytes) -> BingConversation:
    """The conversation in `state`. What can't be read can't go on: UpstreamError `session.expired`, refused."""
    try:
        return _saved.decode(state)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UpstreamError(
            "session.expired", f"the saved conversation can't be read: {error}", refused=True
        ) from error


def _pause(headers: Mapping[str, str]) -> float:
    """How long a refusal over HTTP lasts, in seconds; one that doesn't say is one of those by the hour."""
    told = headers.get("retry-after", "")
    return float(told) if told.isdecimal() and len(told) < _LONGEST_NUMBER else _HOUR


def parse_creation(status: int, headers: Mapping[str, str], body: bytes) -> BingConversation:
    """The conversation that a creation's response tells of; `headers` ignores case. UpstreamError if there is none."""
    if status in (401, 403):
        raise UpstreamError("account.unauthorized", f"HTTP {status}", refused=True)
    if status == 429:
        raise UpstreamError("account.throttled", f"HTTP {status}", refused=True, retry_after=_pause(headers))
    if status == 404 or status >= 500:
        raise UpstreamError("upstream.internal", f"HTTP {status}")
    if status != 200:
        raise UpstreamError("upstream.protocol", f"HTTP {status}")
    try:
        answer = _created.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = headers.get("content-type", "no content type")
        raise UpstreamError("upstream.protocol", f"no conversation in {len(body)} bytes of {kind}") from error
    result = answer.result
    if result and result.value != "Success":
        reason, refused = map_create_failure(result.value)
        raise UpstreamError(reason, f"{result.value}: {result.message or ''}", refused=refused)
    signature = answer.conversation_signature or headers.get("x-sydney-conversationsignature")
    token = headers.get("x-sydney-encryptedconversationsignature")
    if not answer.conversation_id or not answer.client_id or not (signature or token):
        raise UpstreamError("upstream.protocol", "a conversation without id, client id or signature")
    return BingConversation(answer.conversation_id, answer.client_id, signature, token)
