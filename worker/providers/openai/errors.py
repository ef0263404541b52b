"""What a server that speaks the OpenAI API means when it says no. Nothing of its own words gets into an error."""

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.errors import UpstreamError

# Seconds: how long to wait where nothing is said of it, and the longest that is believed.
RETRY_AFTER = 20.0
_DAY = 24 * 3600.0

_BROKE = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})
_THROTTLED = _BROKE | {"rate_limit_exceeded", "rate_limit_error", "ratelimiterror", "too_many_requests"}
_ACCOUNT = frozenset(
    {"invalid_api_key", "authentication_error", "permission_error", "permission_denied", "model_not_found"}
)
_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error", "contextwindowexceedederror"})
_TOO_LONG_WORDS = re.compile(
    r"maximum context length"
    r"|exceeds? (the )?(available |model's )?context"
    r"|prompt is too long"
    r"|input token count [^\n]{0,60}exceeds"
    r"|^litellm\.contextwindowexceedederror"
)
# LiteLLM's proxy says 400 where others say 404 and, without a database of keys, 401.
_ACCOUNT_400 = frozenset({"model_not_found", "no_db_connection"})
_ACCOUNT_400_WORDS = re.compile(r"^(/[a-z/_]{1,40}: )?invalid model name passed in model=")
_POLICY = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "responsibleaipolicyviolation"}
)
_POLICY_WORDS = re.compile(r"content (management )?polic|requires moderation|input was flagged|safety system")
# A code that is safe to log: words, or an HTTP status.
_CODE = re.compile(r"[A-Za-z_]{1,40}|[1-5]\d\d")


@dataclass(frozen=True)
class ErrorReport:
    """What a server says has gone wrong.

    `status` is HTTP's, or what an error within a stream has for one; None if it has none. `codes` are what it calls
    the error, as it writes them; `message` is for people, and may repeat the question and the key.
    """

    status: int | None
    codes: tuple[str, ...] = ()
    message: str = ""

    def to_upstream_error(self, retry_after: float | None = None, policy: str = "question.refused") -> UpstreamError:
        """What it means for a question of which no text has come.

        `retry_after` is what the server told, in seconds; `policy` is the reason for a question that it won't have.
        """
        if self.status in (None, 400, 413, 422) and self._is(_TOO_LONG, _TOO_LONG_WORDS):
            return self._refused("session.toolong")
        if self.status in (None, 400, 403, 422) and self._is(_POLICY, _POLICY_WORDS):
            return self._refused(policy)
        if self.status in (401, 403, 404) or self._unnumbered(_ACCOUNT):
            return self._refused("account.refused")
        if self.status == 400 and self._is(_ACCOUNT_400, _ACCOUNT_400_WORDS):
            return self._refused("account.refused")
        if self.status in (402, 429) or self._unnumbered(_THROTTLED):
            return self._throttled(retry_after)
        if self.status is None or self.status == 408 or self.status >= 500:
            return UpstreamError("upstream.internal", self.detail)
        if self.status >= 400:
            return self._refused("question.refused")
        return UpstreamError("upstream.protocol", self.detail)

    @property
    def detail(self) -> str:
        """What may be logged of it."""
        status = [f"HTTP {self.status}"] if self.status else []
        return ", ".join([*status, *(code for code in self.codes if _CODE.fullmatch(code))])

    def _is(self, codes: frozenset[str], words: re.Pattern[str] | None = None) -> bool:
        named = any(code.lower() in codes for code in self.codes)
        return named or (words is not None and words.search(self.message.lower()) is not None)

    def _unnumbered(self, codes: frozenset[str]) -> bool:
        return self.status is None and self._is(codes)

    def _throttled(self, retry_after: float | None) -> UpstreamError:
        if retry_after is None and self.status != 402 and not self._is(_BROKE):
            retry_after = RETRY_AFTER
        return UpstreamError("account.throttled", self.detail, refused=True, retry_after=retry_after)

    def _refused(self, reason: str) -> UpstreamError:
        return UpstreamError(reason, self.detail, refused=True)


def parse_error_response(status: int, body: bytes) -> ErrorReport:
    """What the body of an error's response says; other bodies than JSON say nothing."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorReport(status)
    return parse_error(value, status)


def parse_error(value: Any, status: int | None = None) -> ErrorReport:
    """What an error says that is an object, or is wrapped in one, or in a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return ErrorReport(status, message=error[:2000] if isinstance(error, str) else "")
    codes = tuple(str(error[name]) for name in ("type", "code") if isinstance(error.get(name), str | int))
    message = error.get("message")
    number = next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), None)
    return ErrorReport(status or number, codes, message[:2000] if isinstance(message, str) else "")


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """After how many seconds to come back, as a response's headers have it; None if they don't say."""
    told = headers.get("retry-after", "").strip()
    seconds = _number(told)
    if seconds is None and told:
        seconds = _until(told)
    if seconds is None and (thousandths := _number(headers.get("retry-after-ms", ""))) is not None:
        seconds = thousandths / 1000
    return None if seconds is None else min(max(seconds, 1.0), _DAY)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
