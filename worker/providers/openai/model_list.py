"""Read a server's list of models."""

import json
import re
from contextlib import suppress
from typing import Any

from wire.json_values import has_too_many_values
from wire.reasons import Reason
from worker.errors import UpstreamError

# Bytes of the list, its JSON values (a hundred for each model), and its models that count.
LARGEST = 4 * 1024 * 1024
_MOST_VALUES = 100_000
_MOST = 1000
_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")


def parse_model_list(body: bytes) -> tuple[str, ...]:
    """Return the names in a response to GET /models, as the API or a server of another make has them.

    UpstreamError `upstream.protocol` if it is no list, or has far more values than any.
    """
    value = None
    with suppress(ValueError, RecursionError):
        value = None if has_too_many_values(body, _MOST_VALUES) else json.loads(body)
    entries = value if isinstance(value, list) else _list_in(value)
    if entries is None:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "no list of models")
    names = dict.fromkeys(name for entry in entries if (name := _name(entry)) is not None)
    return tuple(names)[:_MOST]


def _list_in(value: Any) -> list[Any] | None:
    lists = [value.get(field) for field in ("data", "models")] if isinstance(value, dict) else []
    return next((entries for entries in lists if isinstance(entries, list)), None)


def _name(entry: Any) -> str | None:
    name = entry
    if isinstance(entry, dict):
        name = next((entry[field] for field in ("id", "name", "model") if entry.get(field)), None)
    # Others could be shown as another name, or as none.
    return name if isinstance(name, str) and _NAME.fullmatch(name) and name.isprintable() else None
