"""What can't be encoded is joined, or taken out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.surrogates import clean_json, ends_in_half, join_surrogates


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        ("one[^1^] two[^2^].", "one[^1^] two[^2^]."),
        ('re.sub(r"[^abc^]", "", text)', 're.sub(r"[^abc^]", "", text)'),
        ("\ud83d\ude00", "😀"),
        ("a\ud83db\ude00c", "abc"),
    ],
)
def test_only_half_surrogate_pairs_are_taken_out(text: str, clean: str) -> None:
    assert join_surrogates(text) == clean


@pytest.mark.parametrize(("text", "half"), [("", False), ("a\ud83d", True), ("\ude00", False), ("😀", False)])
def test_a_half_that_may_still_meet_the_other_is_known(text: str, half: bool) -> None:
    assert ends_in_half(text) is half


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_half_is_left_anywhere_in_a_value(value: Any) -> None:
    str(clean_json(value)).encode()
