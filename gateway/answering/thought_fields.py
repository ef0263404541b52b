"""The fields that a server sent with a thought, as one string: what some protocols have room for.

Such a string is `bcg0.`, then the fields as JSON in base64url. What only that server may read is in envelopes inside.
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from wire.json_values import is_dense

PREFIX = "bcg0."
_decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def pack(extra: Mapping[str, Any]) -> str:
    """Return the fields as a string that is never empty."""
    return PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(extra)).rstrip(b"=").decode()


def unpack(text: str) -> dict[str, Any] | None:
    """Return the fields in a string; None if it isn't one of ours, or has too many values to be."""
    if not text.startswith(PREFIX):
        return None
    content = text.removeprefix(PREFIX)
    try:
        fields = base64.b64decode(content + "=" * (-len(content) % 4), altchars=b"-_", validate=True)
        return None if is_dense(fields) else _decoder.decode(fields)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
