"""Bing's citation marks never reach a client, however its text is cut."""

from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wire.messages import Delta, Replace
from worker.providers.bing.citations import CitationFilter, remove_citations
from worker.turns.deltas import DeltaBuilder

# Pieces from which marks and half marks come together.
_piece = st.sampled_from(["a", "好", " ", "\n", "[", "^", "]", "[^", "^]", "[^1", "[^1^]", "😀"])
_text = st.lists(_piece, max_size=12).map("".join)
_pieces = st.lists(_text, max_size=8)
# More than a text's tail that is looked at, in one line and in several.
_LONG = 300
_filling = st.sampled_from(["", "x" * _LONG, "好[^1^]" * _LONG, "\n" * _LONG, "[^" * _LONG])
_long = st.tuples(_text, _filling, _text).map("".join)
# How much of the text so far is taken back, and what comes in its place.
_steps = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2, 5, 200]), _long), max_size=8)


def stepwise(steps: list[tuple[int, str]]) -> list[str]:
    return list(accumulate(steps, lambda text, step: text[: max(0, len(text) - step[0])] + step[1], initial=""))


def play(texts: list[str], final: str) -> list[Delta | Replace | None]:
    """Return the events of an answer with these marked texts."""
    citations, deltas = CitationFilter(), DeltaBuilder()
    events = [deltas.update(citations.update(text)) for text in texts]
    return [*events, deltas.finish(remove_citations(final))]


def shown(events: list[Delta | Replace | None]) -> str:
    """Return what a reader has on the screen after the events."""
    screen = ""
    for event in events:
        if event is not None:
            screen = event.text if isinstance(event, Replace) else screen + event.text
    return screen


@given(_pieces)
@example(["see [^", "1", "^", "] this", " and [^2^][", "^3^]."])
def test_a_growing_text_arrives_as_deltas_that_add_up_to_it(pieces: list[str]) -> None:
    texts = list(accumulate(pieces))
    final = texts[-1] if texts else ""
    events = play(texts, final)
    assert not [event for event in events if isinstance(event, Replace)]
    assert shown(events) == remove_citations(final)


@given(_text, st.data())
def test_it_does_not_matter_where_a_text_is_cut(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    events = play([text[:cut] for cut in cuts], text)
    assert not [event for event in events if isinstance(event, Replace)]
    assert shown(events) == remove_citations(text)


@settings(deadline=None)
@given(_steps)
@example([(0, "x" * 300), (0, "[^1"), (1, "2"), (0, "^]y"), (200, "z" * 300)])
@example([(0, "[["), (1, "")])
@example([(0, "a[[^1"), (3, "^1^]")])
def test_a_text_that_changes_near_its_end_is_what_one_look_at_it_shows(steps: list[tuple[int, str]]) -> None:
    citations = CitationFilter()
    for text in stepwise(steps):
        assert citations.update(text) == CitationFilter().update(text)


@settings(deadline=None)
@given(_steps, st.lists(st.tuples(st.integers(0, 2000), _text), max_size=4), _steps)
def test_whatever_is_changed_far_back_the_end_is_right(
    before: list[tuple[int, str]], changes: list[tuple[int, str]], after: list[tuple[int, str]]
) -> None:
    texts = stepwise(before)
    for place, piece in changes:
        texts.append(texts[-1][:place] + piece + texts[-1][place + len(piece) :])
    texts += stepwise([(0, texts[-1]), *after])
    assert shown(play(texts, texts[-1])) == remove_citations(texts[-1])


@given(_pieces, _text)
def test_any_sequence_of_texts_ends_with_the_final_one(texts: list[str], final: str) -> None:
    assert shown(play(texts, final)) == remove_citations(final)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        ("one[^1^] two[^2^].", "one two."),
        ("[^1^][^2^]", ""),
        ("[^1^ and ^]x", "x"),
        ("[^1\n^]", "[^1\n^]"),
        ("a[1] b^2 [^", "a[1] b^2 [^"),
    ],
)
def test_marks_are_taken_out(text: str, clean: str) -> None:
    assert remove_citations(text) == clean


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("one [", "one "),
        ("one [^", "one "),
        ("one [^1", "one "),
        ("one [^1^", "one "),
        ("one [^1^]", "one "),
        ("one [1", "one [1"),
        ("one [^1\n", "one [^1\n"),
        ("one [^1^] two [^2", "one  two "),
    ],
)
def test_what_may_still_become_a_mark_is_held_back(text: str, sure: str) -> None:
    assert CitationFilter().update(text) == sure


def test_an_open_mark_at_the_end_arrives_whole() -> None:
    assert play(["ends ", "ends [^1"], "ends [^1") == [Delta("ends "), None, Delta("[^1")]


def test_an_open_mark_that_turns_out_to_be_text_is_released() -> None:
    citations = CitationFilter()
    assert citations.update("a [^1") == "a "
    assert citations.update("a [^1\nb") == "a [^1\nb"
