"""What a server sent with a thought comes back through a protocol that has room for one string."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answering.thought_fields import pack, unpack
from wire.json_values import is_dense

VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.dictionaries(st.text(), VALUES))
def test_fields_come_back_as_they_were(extra: dict[str, Any]) -> None:
    assert unpack(pack(extra)) == (None if is_dense(msgspec.json.encode(extra)) else extra)


@pytest.mark.parametrize("values", [[[]] * 1000, [0] * 1000, [{}] * 17])
def test_a_string_of_hardly_anything_but_values_is_none(values: list[Any]) -> None:
    """Each takes twenty times as much memory as it was sent in, and the request's own values are counted without it."""
    assert unpack(pack({"x": values})) is None


@pytest.mark.parametrize(
    "extra",
    [
        {"signature": "s"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "1,2,[3],{" * 1000, "index": 0}] * 50},
        {"logprobs": {"content": [{"token": "a", "logprob": -0.125, "bytes": [97], "top_logprobs": []}] * 500}},
    ],
)
def test_what_servers_send_with_a_thought_comes_back(extra: dict[str, Any]) -> None:
    assert unpack(pack(extra)) == extra


def test_thoughts_without_fields_have_a_string_too() -> None:
    assert pack({})
    assert unpack(pack({})) == {}


@pytest.mark.parametrize("text", ["", "EqoBCkgIARAB", "bcg0.", "bcg0.W10", "bcg0.!!", "bcg0.é", "bcg1.W10.x"])
def test_a_string_of_anybody_else_is_none(text: str) -> None:
    assert unpack(text) is None
