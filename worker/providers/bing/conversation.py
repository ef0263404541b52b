"""A conversation at Bing: its creation, and the state that is saved to continue it."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.bing.errors import map_create_failure, name_failure
from worker.providers.bing.frames import ChatHubResult


class BingConversation(msgspec.Struct, frozen=True):
    """The ids and keys of one conversation.

    Older servers expect the `signature` in each question; newer ones send it in a header, along with an `access_token`
    for the chat's URL.
    """

    conversation_id: str
    client_id: str
    signature: str | None
    access_token: str | None = None

    def address(self, chat_url: str) -> str:
        """Return the URL for this conversation's questions."""
        if self.access_token is None:
            return chat_url
        return f"{chat_url}{'&' if '?' in chat_url else '?'}sec_access_token={quote(self.access_token, safe='')}"


class _CreationResponse(msgspec.Struct, rename="camel"):
    conversation_id: str | None = None
    client_id: str | None = None
    conversation_signature: str | None = None
    result: ChatHubResult | None = None


_HOUR = 3600.0
# Characters of all ids and keys of a conversation, which are kept as long as it is; real ones have less than 1,000.
LONGEST_STATE = 8 * 1024
_LONGEST_NUMBER = 8

_saved = msgspec.json.Decoder(BingConversation)
_created = msgspec.json.Decoder(_CreationResponse)


def encode_conversation(conversation: BingConversation) -> bytes:
    """Encode the conversation as JSON."""
    return msgspec.json.encode(conversation)


def decode_conversation(state: bytes) -> BingConversation:
    """Decode the conversation in `state`. UpstreamError `session.expired`, refused, if that fails."""
    try:
        return _saved.decode(state)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UpstreamError(
            Reason.SESSION_EXPIRED, f"the saved conversation can't be read: {error}", refused=True
        ) from error


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a refusal over HTTP lasts; an hour if the header is missing."""
    header = headers.get("retry-after", "")
    return float(header) if header.isdecimal() and len(header) < _LONGEST_NUMBER else _HOUR


def parse_creation(status: int, headers: Mapping[str, str], body: bytes) -> BingConversation:
    """Parse the response to a creation; `headers` ignores case. UpstreamError if it contains no conversation."""
    if status in (401, 403):
        raise UpstreamError(Reason.ACCOUNT_UNAUTHORIZED, f"HTTP {status}", refused=True)
    if status == 429:
        raise UpstreamError(Reason.ACCOUNT_THROTTLED, f"HTTP {status}", refused=True, retry_after=_retry_after(headers))
    if status == 404 or status >= 500:
        raise UpstreamError(Reason.UPSTREAM_INTERNAL, f"HTTP {status}")
    if status != 200:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, f"HTTP {status}")
    try:
        response = _created.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = headers.get("content-type", "no content type")
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, f"no conversation in {len(body)} bytes of {kind}") from error
    result = response.result
    if result and result.value != "Success":
        reason, refused = map_create_failure(result.value)
        raise UpstreamError(reason, name_failure(result.value), refused=refused)
    signature = response.conversation_signature or headers.get("x-sydney-conversationsignature")
    token = headers.get("x-sydney-encryptedconversationsignature")
    if not response.conversation_id or not response.client_id or not (signature or token):
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a conversation without id, client id or signature")
    if sum(map(len, (response.conversation_id, response.client_id, signature or "", token or ""))) > LONGEST_STATE:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a conversation with ids and keys that are too long to keep")
    return BingConversation(response.conversation_id, response.client_id, signature, token)
