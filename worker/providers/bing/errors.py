"""The upstream's words for a failure, translated to ours: (reason, whether it is an explicit refusal)."""

import re

_ACCOUNT = {
    "Throttled": "account.throttled",
    "CaptchaChallenge": "account.captcha",
    "UnauthorizedRequest": "account.unauthorized",
    "Forbidden": "account.unauthorized",
}
_INTERNAL = frozenset({"InternalError", "InternalServerError", "TryLater"})
# UnauthorizedRequest also says that the conversation's signature or its token has run out: the account is fine.
_CONVERSATION_TOKEN = re.compile(r"signature|token|lifetime", re.IGNORECASE)


def map_turn_failure(value: str, message: str) -> tuple[str, bool]:
    """What a turn's `result.value`, other than Success, means."""
    if value == "InvalidSession":
        return "session.expired", True
    if value in ("UnauthorizedRequest", "Forbidden") and _CONVERSATION_TOKEN.search(message):
        return "session.expired", True
    return map_create_failure(value)


def map_create_failure(value: str) -> tuple[str, bool]:
    """What the `result.value`, other than Success, of a request for a new conversation means."""
    if value in _ACCOUNT:
        return _ACCOUNT[value], True
    return ("upstream.internal" if value in _INTERNAL else "upstream.protocol"), False
