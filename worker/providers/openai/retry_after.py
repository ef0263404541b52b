"""When a server that refused wants to be asked again, in the forms that servers write it."""

import email.utils
import math
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# Seconds: the pause if the server sends none, and the longest that is accepted from it.
RETRY_AFTER = 20.0
_DAY = 24 * 3600.0
# A number above it is a moment, in Unix seconds.
_EPOCH = 1e9

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_RESET = re.compile(r"(?:anthropic-|x-)?ratelimit-(?:reset(-[a-z-]+)?|([a-z-]+)-reset)")
_WORDS = re.compile(
    r"(?:try again in|retry (?:after|in)|wait)\s+(\d+(?:\.\d+)?)\s?(ms|milliseconds?|s|secs?|seconds?|m|minutes?)\b"
)
# By how a unit begins; the first that fits counts.
_WORD_UNITS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0}


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Parse the seconds to wait from a response's headers; None if they contain none."""
    header = headers.get("retry-after", "").strip()
    seconds = _number(header)
    if seconds is None and header:
        seconds = _until(header)
    if seconds is None and (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        seconds = milliseconds / 1000
    return bounded(_reset(headers) if seconds is None else seconds)


def parse_retry_delay(error: Mapping[str, Any]) -> float | None:
    """Parse the seconds to wait from the fields of an error: its `retryDelay` or `retry_after`."""
    details = error.get("details")
    parts = [error, *(part for part in details if isinstance(part, dict))] if isinstance(details, list) else [error]
    for part in parts:
        for name in ("retryDelay", "retry_delay", "retry_after", "estimated_time"):
            if (seconds := _seconds(part.get(name))) is not None:
                return bounded(seconds)
    return None


def parse_retry_words(message: str) -> float | None:
    """Parse the seconds to wait from an error's message, which may repeat what a client wrote."""
    words = _WORDS.search(message.lower())
    if words is None:
        return None
    unit = next(seconds for beginning, seconds in _WORD_UNITS.items() if words[2].startswith(beginning))
    return bounded(float(words[1]) * unit)


def bounded(seconds: float | None) -> float | None:
    """Return a pause within what is accepted."""
    return None if seconds is None else min(max(seconds, 1.0), _DAY)


def _reset(headers: Mapping[str, str]) -> float | None:
    """Return when the limits are whole again: those that are used up, else the last of all."""
    resets: dict[str, float] = {}
    for name, value in headers.items():
        match = _RESET.fullmatch(name.lower())
        if match is not None and (seconds := _seconds(value)) is not None:
            resets[(match[1] or match[2] or "").strip("-")] = seconds
    spent = {kind for kind in resets if _remaining(headers, kind) == 0}
    return max((resets[kind] for kind in spent or resets), default=None)


def _remaining(headers: Mapping[str, str], kind: str) -> float | None:
    suffix = f"-{kind}" if kind else ""
    names = (f"x-ratelimit-remaining{suffix}", f"ratelimit-remaining{suffix}", f"anthropic-ratelimit-{kind}-remaining")
    return next((number for name in names if (number := _number(headers.get(name, ""))) is not None), None)


def _seconds(value: Any) -> float | None:
    """Parse seconds, a moment, or a duration such as `1m30.5s`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    number = _number(text)
    if number is not None:
        # Some servers write milliseconds since the epoch.
        moment = number / 1000 if number > _EPOCH * 1000 else number
        return max(moment - time.time(), 0.0) if number > _EPOCH else number
    duration = _DURATION.fullmatch(text)
    if duration is not None and text:
        return sum(float(part) * unit for part, unit in zip(duration.groups(), _UNITS, strict=True) if part)
    return _until(text) if text else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: str) -> float | None:
    """Return the seconds until an HTTP date or one of ISO 8601."""
    for parse in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            return parse(date).timestamp() - time.time()
        except (ValueError, OverflowError):
            continue
    return None
