"""Stop sequences, however the text is cut into deltas."""

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.openai.stop_sequences import StopSequences

LETTERS = st.text("ab", max_size=12)


@given(st.lists(LETTERS), st.lists(st.text("ab", min_size=1, max_size=4), max_size=4))
@example(["b", "a", "a", "b"], ["aab"])
@example(["ab", "ab", "b"], ["abb", "babb"])
def test_text_ends_before_the_first_sequence_wherever_the_deltas_are_cut(
    pieces: list[str], sequences: list[str]
) -> None:
    stops, shown = StopSequences(sequences), ""
    for piece in pieces:
        shown += stops.add(piece)
        assert not any(sequence in shown for sequence in sequences)
    shown += stops.flush()
    text = "".join(pieces)
    places = [position for sequence in sequences if (position := text.find(sequence)) >= 0]
    assert stops.hit == bool(places)
    # What came first in time ended it: a longer sequence that begins earlier may not have been whole by then.
    assert shown == text[: len(shown)]
    assert not any(sequence in shown for sequence in sequences)
    if not places:
        assert shown == text
    elif len({len(sequence) for sequence in sequences}) == 1:
        assert shown == text[: min(places)]


@given(st.lists(LETTERS, max_size=4), st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=3))
@example(["aabaa", "a"], ["aabaab"])
@example(["abab"], ["ababb", "b" * 6])
def test_exactly_what_may_begin_a_sequence_is_held_back(pieces: list[str], sequences: list[str]) -> None:
    stops, text, shown = StopSequences(sequences), "", ""
    for piece in pieces:
        text += piece
        shown += stops.add(piece)
        if stops.hit:
            return
        beginnings = (sequence[:count] for sequence in sequences for count in range(len(sequence)))
        longest = max((beginning for beginning in beginnings if text.endswith(beginning)), key=len)
        assert shown + longest == text


@given(LETTERS, st.lists(LETTERS, min_size=1, max_size=4), st.text("ab", min_size=1, max_size=6), st.booleans())
@example("aa", ["b"], "aab", True)
def test_after_what_was_held_back_is_gone_text_begins_anew(
    before: str, pieces: list[str], sequence: str, discarded: bool
) -> None:
    stops, fresh = StopSequences([sequence]), StopSequences([sequence])
    stops.add(before)
    if stops.hit:
        return
    if discarded:
        stops.discard()
    else:
        stops.flush()
    assert [stops.add(piece) for piece in pieces] == [fresh.add(piece) for piece in pieces]


def test_nothing_is_held_back_without_sequences() -> None:
    stops = StopSequences([])
    assert (stops.add("a"), stops.flush()) == ("a", "")


@given(st.lists(LETTERS, max_size=3), st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_sequence_that_ended_the_text_follows_what_was_shown(pieces: list[str], sequences: list[str]) -> None:
    stops = StopSequences(sequences)
    shown = "".join(map(stops.add, pieces)) + stops.flush()
    assert bool(stops.found) == stops.hit
    assert stops.found in ("", *sequences)
    assert "".join(pieces).startswith(shown + stops.found)
