"""What a server sent with a thought comes back through a protocol that has room for one string."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answering.thought_fields import pack, unpack

VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.dictionaries(st.text(), VALUES))
def test_fields_come_back_as_they_were(extra: dict[str, Any]) -> None:
    assert unpack(pack(extra)) == extra


def test_thoughts_without_fields_have_a_string_too() -> None:
    assert pack({})
    assert unpack(pack({})) == {}


@pytest.mark.parametrize("text", ["", "EqoBCkgIARAB", "bcg0.", "bcg0.W10", "bcg0.!!", "bcg0.é", "bcg1.W10.x"])
def test_a_string_of_anybody_else_is_none(text: str) -> None:
    assert unpack(text) is None
