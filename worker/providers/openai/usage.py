"""The tokens that servers count, in the shapes in which they send them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wire.messages import Usage
from worker.providers.surrogates import clean_json

# Bytes of a server's own object that are kept.
_MAX_RAW = 16 * 1024
# Above it a number is none of tokens: the sums that the console counts have to be exact, and below 1e17 in Lua.
_MAX_COUNT = 10**9


def parse_usage(chunk: Mapping[str, Any], choice: Mapping[str, Any]) -> Usage | None:
    """Return the usage in a chunk or, where some servers send it, its choice; None if it has none."""
    groq = chunk.get("x_groq")
    places = [chunk.get("usage"), choice.get("usage"), groq.get("usage") if isinstance(groq, dict) else None]
    return next((usage for place in places if (usage := _parse(place)) is not None), None)


def _parse(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    prompt, completion = read_count(value.get("prompt_tokens")), read_count(value.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    inputs, outputs = _object(value.get("prompt_tokens_details")), _object(value.get("completion_tokens_details"))
    reasoning = read_count(outputs.get("reasoning_tokens")) or read_count(value.get("reasoning_tokens")) or 0
    # Some servers count reasoning beside the completion.
    if reasoning and read_count(value.get("total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    return Usage(
        prompt,
        completion,
        cached=_first(inputs.get("cached_tokens"), value.get("prompt_cache_hit_tokens"), value.get("cached_tokens")),
        cache_written=_first(inputs.get("cache_write_tokens"), value.get("cache_creation_input_tokens")),
        reasoning=reasoning,
        raw=keep_raw(value),
    )


def keep_raw(value: dict[str, Any]) -> dict[str, Any]:
    """Return the server's own object, if it isn't too large."""
    cleaned: dict[str, Any] = clean_json(value)
    return cleaned if len(msgspec.json.encode(cleaned)) <= _MAX_RAW else {}


def _first(*values: Any) -> int:
    return next((count for value in values if (count := read_count(value))), 0)


def read_count(value: Any) -> int | None:
    """Return a number of tokens; None if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_COUNT else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
