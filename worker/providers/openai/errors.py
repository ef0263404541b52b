"""Map errors of a server with the OpenAI API to ours. The server's own message never becomes part of an error."""

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wire.reasons import Reason
from worker.errors import UpstreamError

# Seconds: the pause if the server sends none, and the longest that is accepted from it.
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
# LiteLLM's proxy sends 400 where others send 404 and, without a database of keys, 401.
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
    """An error that a server reports.

    `status` is the HTTP status, or the one that an error within a stream contains; None if it has none. `codes` are the
    error's names as the server writes them; `message` is for people, and may repeat the question and the key.
    """

    status: int | None
    codes: tuple[str, ...] = ()
    message: str = ""

    def to_upstream_error(
        self, retry_after: float | None = None, policy: Reason = Reason.QUESTION_REFUSED
    ) -> UpstreamError:
        """Return our error for a question that has got no text yet.

        `retry_after` is the pause that the server sent, in seconds; `policy` is the reason for a rejected question.
        """
        if self.status in (None, 400, 413, 422) and self._matches(_TOO_LONG, _TOO_LONG_WORDS):
            return self._refused(Reason.SESSION_TOO_LONG)
        if self.status in (None, 400, 403, 422) and self._matches(_POLICY, _POLICY_WORDS):
            return self._refused(policy)
        if self.status in (401, 403, 404) or self._matches_without_status(_ACCOUNT):
            return self._refused(Reason.ACCOUNT_REFUSED)
        if self.status == 400 and self._matches(_ACCOUNT_400, _ACCOUNT_400_WORDS):
            return self._refused(Reason.ACCOUNT_REFUSED)
        if self.status in (402, 429) or self._matches_without_status(_THROTTLED):
            return self._throttled(retry_after)
        if self.status is None or self.status == 408 or self.status >= 500:
            return UpstreamError(Reason.UPSTREAM_INTERNAL, self.detail)
        if self.status >= 400:
            return self._refused(Reason.QUESTION_REFUSED)
        return UpstreamError(Reason.UPSTREAM_PROTOCOL, self.detail)

    @property
    def detail(self) -> str:
        """The part that may be logged."""
        status = [f"HTTP {self.status}"] if self.status else []
        return ", ".join([*status, *(code for code in self.codes if _CODE.fullmatch(code))])

    def _matches(self, codes: frozenset[str], words: re.Pattern[str] | None = None) -> bool:
        named = any(code.lower() in codes for code in self.codes)
        return named or (words is not None and words.search(self.message.lower()) is not None)

    def _matches_without_status(self, codes: frozenset[str]) -> bool:
        return self.status is None and self._matches(codes)

    def _throttled(self, retry_after: float | None) -> UpstreamError:
        if retry_after is None and self.status != 402 and not self._matches(_BROKE):
            retry_after = RETRY_AFTER
        return UpstreamError(Reason.ACCOUNT_THROTTLED, self.detail, refused=True, retry_after=retry_after)

    def _refused(self, reason: Reason) -> UpstreamError:
        return UpstreamError(reason, self.detail, refused=True)


def parse_error_response(status: int, body: bytes) -> ErrorReport:
    """Parse the body of an error's response; a body that isn't JSON adds nothing to the status."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorReport(status)
    return parse_error(value, status)


def parse_error(value: Any, status: int | None = None) -> ErrorReport:
    """Parse an error that is an object, or inside one, or inside a list."""
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
    """Parse the seconds to wait from a response's headers; None if they contain none."""
    header = headers.get("retry-after", "").strip()
    seconds = _number(header)
    if seconds is None and header:
        seconds = _until(header)
    if seconds is None and (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        seconds = milliseconds / 1000
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
