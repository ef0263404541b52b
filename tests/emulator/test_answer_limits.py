from hypothesis import given
from hypothesis import strategies as st

from emulator import answer_limits, blocks
from emulator.answer_limits import EarlyEnd
from emulator.blocks import AnswerBlock


def test_without_limits_all_passes() -> None:
    assert answer_limits.apply(["a", "b"], None, ()) == (["a", "b"], None)


def test_so_many_pieces_pass_and_no_more() -> None:
    assert answer_limits.apply(["a", "b", "c"], 2, ()) == (["a", "b"], EarlyEnd())
    assert answer_limits.apply(["a", "b"], 2, ()) == (["a", "b"], None)


def test_the_first_stop_sequence_ends_the_text_before_it() -> None:
    assert answer_limits.apply(["one t", "wo three"], None, ("three", "two")) == (["one "], EarlyEnd("two"))


@given(st.lists(st.text("ab", min_size=1, max_size=3), max_size=9), st.text("ab", min_size=1, max_size=3))
def test_what_passes_is_the_text_before_the_stop(pieces: list[str], stop: str) -> None:
    passed, early = answer_limits.apply(pieces, None, (stop,))
    text = "".join(pieces)
    assert "".join(passed) == text.partition(stop)[0]
    assert (early is not None) == (stop in text)


def test_stops_are_looked_for_in_the_text_alone() -> None:
    parts = blocks.fragments([AnswerBlock("reasoning", "stop here"), AnswerBlock("text", "go stop")])
    passed, early = answer_limits.apply(parts, None, ("stop",))
    assert "".join(passed) == "stop herego "
    assert early == EarlyEnd("stop")
