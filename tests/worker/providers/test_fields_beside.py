"""Fields beside an answer: the last value of each, within a bound, each measured once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.fields_beside import MOST_BYTES, FieldsBeside

NAMES = st.sampled_from(["a", "bc", "é", '"'])
VALUES = st.none() | st.integers() | st.text(max_size=MOST_BYTES // 4) | st.lists(st.booleans(), max_size=9)


@given(st.lists(st.dictionaries(NAMES, VALUES | st.integers(1, MOST_BYTES).map("x".__mul__), max_size=3), max_size=8))
def test_the_fields_are_those_of_all_events_that_fit_as_json(events: list[dict[str, Any]]) -> None:
    beside, expected = FieldsBeside(), dict[str, Any]()
    for fields in events:
        beside.add(fields)
        if len(msgspec.json.encode(expected | fields)) <= MOST_BYTES:
            expected |= fields
        assert beside.fields == expected


def test_a_small_field_beside_a_large_one_is_all_that_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, encode = list[int](), msgspec.json.encode

    def measure(value: Any) -> bytes:
        encoded = encode(value)
        measured.append(len(encoded))
        return encoded

    monkeypatch.setattr(msgspec.json, "encode", measure)
    beside = FieldsBeside()
    beside.add({"large": "x" * 60_000})
    for number in range(9):
        beside.add({"small": number})
    assert sum(measured[1:]) < 1000
    assert beside.fields["small"] == 8
