import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.turns.session_state import SessionState, decode, encode


@given(st.text(st.characters(exclude_categories=["Cs"])), st.binary())
def test_what_is_saved_comes_back(account: str, state: bytes) -> None:
    assert decode(encode(SessionState(account, state))) == SessionState(account, state)


@given(st.binary())
def test_any_state_is_text_that_lua_can_carry(state: bytes) -> None:
    encode(SessionState("a", state)).decode("ascii")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"account": "a"}', b'{"account": 1, "state": ""}', b"\xff"]
)
def test_what_is_no_saved_session_is_none(data: bytes) -> None:
    assert decode(data) is None


def test_unknown_fields_are_ignored() -> None:
    assert decode(b'{"account": "a", "state": "eA==", "later": 1}') == SessionState("a", b"x")
