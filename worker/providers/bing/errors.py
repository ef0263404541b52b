"""Map the upstream's names for a failure to ours: (reason, whether it is an explicit refusal)."""

import re

from wire.reasons import Reason

_ACCOUNT = {
    "Throttled": Reason.ACCOUNT_THROTTLED,
    "CaptchaChallenge": Reason.ACCOUNT_CAPTCHA,
    "UnauthorizedRequest": Reason.ACCOUNT_UNAUTHORIZED,
    "Forbidden": Reason.ACCOUNT_UNAUTHORIZED,
}
# A name that is safe to log; anything else that Bing writes may repeat the question.
_NAME = re.compile(r"[A-Za-z]{1,40}")
_INTERNAL = frozenset({"InternalError", "InternalServerError", "TryLater"})
# UnauthorizedRequest may also mean that the conversation's signature or token has expired: the account is fine.
_CONVERSATION_TOKEN = re.compile(r"signature|token|lifetime", re.IGNORECASE)


def map_turn_failure(value: str, message: str) -> tuple[Reason, bool]:
    """Map a turn's `result.value` other than Success."""
    if value == "InvalidSession":
        return Reason.SESSION_EXPIRED, True
    if value in ("UnauthorizedRequest", "Forbidden") and _CONVERSATION_TOKEN.search(message):
        return Reason.SESSION_EXPIRED, True
    return map_create_failure(value)


def map_create_failure(value: str) -> tuple[Reason, bool]:
    """Map the `result.value` other than Success of a request for a new conversation."""
    if value in _ACCOUNT:
        return _ACCOUNT[value], True
    return (Reason.UPSTREAM_INTERNAL if value in _INTERNAL else Reason.UPSTREAM_PROTOCOL), False


def name_failure(value: str | None, otherwise: str = "a failure without a name") -> str:
    """Return Bing's name for a failure, as far as it may be logged."""
    return value if value and _NAME.fullmatch(value) else otherwise
