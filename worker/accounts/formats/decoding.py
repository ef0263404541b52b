"""Decode JSON of cookie exports: a value, or an error of one sentence."""

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from worker.accounts.cookies import CookieFileError

Decoded = TypeVar("Decoded")


def decode(decoder: msgspec.json.Decoder[Decoded], data: str | msgspec.Raw, otherwise: str) -> Decoded:
    """Decode the data. CookieFileError, with the message `otherwise` for JSON of another shape."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise CookieFileError(otherwise) from None
    except (msgspec.DecodeError, RecursionError):
        raise CookieFileError("is not JSON") from None


def parse_time(moment: float | str | None) -> float | None:
    """Convert Unix seconds or ISO 8601 to Unix seconds; None for a negative number or any other text."""
    if isinstance(moment, str):
        try:
            parsed = datetime.fromisoformat(moment)
        except ValueError:
            return None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    return moment if moment is not None and moment >= 0 else None
