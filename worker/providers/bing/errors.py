"""Map the upstream's names for a failure to ours: (reason, whether it is an explicit refusal)."""

import re

_ACCOUNT = {
    "Throttled": "account.throttled",
    "CaptchaChallenge": "account.captcha",
    "UnauthorizedRequest": "account.unauthorized",
    "Forbidden": "account.unauthorized",
}
_INTERNAL = frozenset({"InternalError", "InternalServerError", "TryLater"})
# UnauthorizedRequest may also mean that the conversation's signature or token has expired: the account is fine.
_CONVERSATION_TOKEN = re.compile(r"signature|token|lifetime", re.IGNORECASE)


def map_turn_failure(value: str, message: str) -> tuple[str, bool]:
    """Map a turn's `result.value` other than Success."""
    if value == "InvalidSession":
        return "session.expired", True
    if value in ("UnauthorizedRequest", "Forbidden") and _CONVERSATION_TOKEN.search(message):
        return "session.expired", True
    return map_create_failure(value)


def map_create_failure(value: str) -> tuple[str, bool]:
    """Map the `result.value` other than Success of a request for a new conversation."""
    if value in _ACCOUNT:
        return _ACCOUNT[value], True
    return ("upstream.internal" if value in _INTERNAL else "upstream.protocol"), False
