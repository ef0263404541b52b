"""Percentiles, by nearest rank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clients.spread import Spread, percentile, spread


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1, 100)])
def test_of_one_hundred_values_the_share_is_the_rank(share: float, value: int) -> None:
    assert percentile(list(range(1, 101)), share) == value


@given(st.lists(st.integers(), min_size=1), st.floats(0, 1))
def test_the_percentile_is_a_value_that_the_share_does_not_exceed(values: list[int], share: float) -> None:
    ordered = sorted(values)
    result = percentile(ordered, share)
    assert result in values
    assert sum(value <= result for value in values) >= share * len(values) - 1e-9 * len(values)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_a_spread_is_in_milliseconds() -> None:
    assert spread([3_000_000, 1_000_000, 2_000_000]) == Spread(p50=2.0, p99=3.0)
    assert spread([]) is None
