import pytest

from wire.messages import Usage
from worker.providers.anthropic.message_usage import parse_usage


@pytest.mark.parametrize("counted", [{}, {"input_tokens": -1}, {"output_tokens": "5"}, {"input_tokens": True}])
def test_what_counts_nothing_is_no_usage(counted: dict[str, object]) -> None:
    assert parse_usage(counted) is None


def test_the_input_is_all_that_was_read() -> None:
    counted = {
        "input_tokens": 1,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 4},
    }
    assert parse_usage(counted) == Usage(321, 5, cached=20, cache_written=300, reasoning=4, raw=counted)
    assert parse_usage({"output_tokens": 2}) == Usage(0, 2, raw={"output_tokens": 2})
