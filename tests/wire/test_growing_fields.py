import copy
from functools import partial, reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.call_count import count_calls
from wire.growing_fields import GrowingFields

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)


def grown(parts: list[dict[str, Any]]) -> dict[str, Any]:
    fields = GrowingFields()
    for part in parts:
        fields.add(part)
    return fields.fields


def folded(before: Any, new: Any) -> Any:
    """Return two values as one, in the plainest way."""
    if isinstance(before, dict) and isinstance(new, dict):
        return before | {name: folded(before[name], new[name]) if name in before else new[name] for name in new}
    return before + new if type(before) is type(new) and isinstance(new, str | list) else new


@given(st.lists(FIELDS, max_size=6))
def test_fields_are_joined_by_their_types_and_what_was_given_stays(parts: list[dict[str, Any]]) -> None:
    empty: dict[str, Any] = {}
    given, expected = copy.deepcopy(parts), reduce(folded, parts, empty)
    assert grown(parts) == expected
    assert list(grown(parts)) == list(expected)
    assert parts == given


@given(st.lists(FIELDS, min_size=2, max_size=6))
def test_what_was_read_stays_when_more_comes(parts: list[dict[str, Any]]) -> None:
    fields = GrowingFields()
    for part in parts[:-1]:
        fields.add(part)
    read, before = fields.fields, copy.deepcopy(fields.fields)
    fields.add(parts[-1])
    assert read == before


class Items(list[int]):
    """A list that counts how many of its items are read."""

    read = 0

    def __iter__(self) -> Any:
        for item in super().__iter__():
            Items.read += 1
            yield item


@pytest.mark.parametrize("value", ["x", [0], {"y": "x"}, {"y": [0]}, 1])
@pytest.mark.parametrize("names", [1, 10_000])
def test_twice_as_many_parts_take_twice_the_work(value: Any, names: int) -> None:
    parts = [{f"k{number % names}": value} for number in range(1000)]
    once, twice = (count_calls(partial(grown, parts[:count])) for count in (500, 1000))
    assert twice <= 2 * once


def test_of_a_long_list_that_grows_no_item_is_read_again() -> None:
    fields, Items.read = GrowingFields(), 0
    fields.add({"a": Items(range(1000))})
    for number in range(100):
        fields.add({"a": [number]})
    assert Items.read <= 1000
    assert len(fields.fields["a"]) == 1100
