"""The tokens that a server of Anthropic's API counts; see https://platform.claude.com/docs/en/api/messages."""

from collections.abc import Mapping
from typing import Any

from wire.messages import Usage
from worker.providers.openai.usage import keep_raw, read_count


def parse_usage(counted: Mapping[str, Any]) -> Usage | None:
    """Return the usage from the server's own object; None if it counts nothing.

    Its input tokens are only those that its cache neither had nor got.
    """
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    counts = [read_count(counted.get(name)) for name in names]
    if counts[0] is None and counts[3] is None:
        return None
    fresh, cached, written, output = (count or 0 for count in counts)
    details = counted.get("output_tokens_details")
    reasoning = read_count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(
        fresh + cached + written,
        output,
        cached=cached,
        cache_written=written,
        reasoning=reasoning or 0,
        raw=keep_raw(dict(counted)),
    )
