from hypothesis import given
from hypothesis import strategies as st

from emulator.anthropic.thought_signatures import ThoughtSignatures, is_own, sign


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_a_signature_fits_its_thought_alone(shown: str, whole: str, other: str) -> None:
    signature = sign(shown, whole)
    assert is_own(shown, signature)
    assert is_own(other, signature) == (other == shown)


@given(st.text(max_size=120))
def test_no_other_text_is_a_signature(text: str) -> None:
    assert not is_own("a", text)


def test_what_a_script_signed_is_known_until_it_is_forgotten() -> None:
    signatures = ThoughtSignatures(limit=1)
    signatures.remember("a", "mine")
    assert signatures.is_valid("a", "mine")
    assert not signatures.is_valid("b", "mine")
    signatures.remember("b", "mine")
    assert not signatures.is_valid("a", "mine")
    signatures.clear()
    assert not signatures.is_valid("b", "mine")
