"""Tokens, however a server counts them."""

from typing import Any

import pytest

from wire.messages import Usage
from worker.providers.openai.usage import parse_usage


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, Usage(9, 3)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(9, 5, cached=4, cache_written=2, reasoning=2),
        ),
        # DeepSeek
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 8}, Usage(9, 3, cached=8)),
        # LiteLLM before Anthropic
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "cache_creation_input_tokens": 5},
            Usage(9, 3, cache_written=5),
        ),
        # Gemini and xAI count reasoning beside the completion
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "total_tokens": 20,
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            Usage(9, 11, reasoning=8),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": None}, Usage(9, 3)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": "x"}}, Usage(9, 3)),
    ],
)
def test_all_counts_are_read_and_the_servers_own_object_goes_along(usage: dict[str, Any], counts: Usage) -> None:
    parsed = parse_usage({"usage": usage}, {})
    assert parsed is not None
    assert parsed.raw == usage
    assert (parsed.prompt, parsed.completion, parsed.cached, parsed.cache_written, parsed.reasoning) == (
        counts.prompt,
        counts.completion,
        counts.cached,
        counts.cache_written,
        counts.reasoning,
    )


@pytest.mark.parametrize(("tokens", "is_read"), [(10**9 - 1, True), (10**9, False), (2**53 - 1, False)])
def test_what_would_make_a_sum_inexact_is_no_number_of_tokens(tokens: int, is_read: bool) -> None:
    assert (parse_usage({"usage": {"prompt_tokens": tokens, "completion_tokens": 3}}, {}) is not None) == is_read


@pytest.mark.parametrize("place", ["chunk", "choice", "x_groq"])
def test_it_may_be_in_three_places(place: str) -> None:
    usage: dict[str, Any] = {"usage": {"prompt_tokens": 9, "completion_tokens": 3}}
    chunk: Any = {"chunk": usage, "choice": {"usage": None}, "x_groq": {"x_groq": usage}}[place]
    assert parse_usage(chunk, usage if place == "choice" else {}) == Usage(9, 3, raw=usage["usage"])


@pytest.mark.parametrize("usage", [7, None, {"prompt_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": True}])
def test_what_is_no_count_is_left_out(usage: Any) -> None:
    assert parse_usage({"usage": usage, "x_groq": 7}, {}) is None


def test_a_huge_object_is_left_out() -> None:
    parsed = parse_usage({"usage": {"prompt_tokens": 1, "completion_tokens": 1, "x": "y" * 20_000}}, {})
    assert parsed == Usage(1, 1)
