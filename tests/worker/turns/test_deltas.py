"""What clients are sent adds up to the answer, however the upstream cuts its text."""

from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire.messages import Delta, Replace, encode
from worker.providers.surrogates import join_surrogates
from worker.turns.deltas import DeltaBuilder

# Pieces from which halves of surrogate pairs come together, and what looks like Bing's citation marks.
_piece = st.sampled_from(["a", "好", " ", "\n", "[", "^", "]", "[^", "^]", "[^1", "[^1^]", "\ud83d", "\ude00", "😀"])
_text = st.lists(_piece, max_size=12).map("".join)
_pieces = st.lists(_text, max_size=8)
# More than a text's tail that is looked at, in one line and in several.
_LONG = 300
_filling = st.sampled_from(["", "x" * _LONG, "好[^1^]" * _LONG, "\n" * _LONG, "[^" * _LONG, "\ud83d" * _LONG])
_long = st.tuples(_text, _filling, _text).map("".join)
# How much of the text so far is taken back, and what comes in its place.
_steps = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2, 5, 200]), _long), max_size=8)


def shown(events: list[Delta | Replace | None]) -> str:
    """Return what a reader has on the screen after the events."""
    screen = ""
    for event in events:
        if event is not None:
            encode(event)  # whatever is sent can be encoded
            screen = event.text if isinstance(event, Replace) else screen + event.text
    return screen


def play(texts: list[str], final: str) -> list[Delta | Replace | None]:
    deltas = DeltaBuilder()
    events = [deltas.update(text) for text in texts]
    return [*events, deltas.finish(final)]


@given(_pieces)
@example(["see [^", "1", "^", "] this", " and [^2^][", "^3^]."])
@example(["\ud83d", "[^1^]", "\ude00"])
@example(["\ud83d", "x", "\ude00"])
def test_a_growing_text_arrives_as_deltas_that_add_up_to_it(pieces: list[str]) -> None:
    texts = list(accumulate(pieces))
    final = texts[-1] if texts else ""
    events = play(texts, final)
    assert not [event for event in events if isinstance(event, Replace)]
    assert shown(events) == join_surrogates(final)


@given(_text, st.data())
def test_it_does_not_matter_where_a_text_is_cut(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    events = play([text[:cut] for cut in cuts], text)
    assert not [event for event in events if isinstance(event, Replace)]
    assert shown(events) == join_surrogates(text)


def stepwise(steps: list[tuple[int, str]]) -> list[str]:
    return list(accumulate(steps, lambda text, step: text[: max(0, len(text) - step[0])] + step[1], initial=""))


@given(_steps)
@example([(0, "x" * 300), (0, "[^1"), (1, "2"), (0, "^]y"), (200, "z" * 300)])
def test_what_was_sent_is_what_one_look_at_the_text_shows_or_goes_beyond_it(steps: list[tuple[int, str]]) -> None:
    deltas, screen = DeltaBuilder(), ""
    for text in stepwise(steps):
        event, before = deltas.update(text), screen
        screen = event.text if isinstance(event, Replace) else screen + (event.text if event else "")
        assert screen == deltas.text
        sure = shown([DeltaBuilder().update(text)])
        assert screen == sure or (screen == before and screen.startswith(sure))


@given(_steps, st.lists(st.tuples(st.integers(0, 2000), _text), max_size=4), _steps)
def test_whatever_is_changed_far_back_the_end_is_right(
    before: list[tuple[int, str]], changes: list[tuple[int, str]], after: list[tuple[int, str]]
) -> None:
    texts = stepwise(before)
    for position, piece in changes:
        texts.append(texts[-1][:position] + piece + texts[-1][position + len(piece) :])
    texts += stepwise([(0, texts[-1]), *after])
    assert shown(play(texts, texts[-1])) == join_surrogates(texts[-1])


@given(_pieces, _text)
def test_any_sequence_of_texts_ends_with_the_final_one(texts: list[str], final: str) -> None:
    assert shown(play(texts, final)) == join_surrogates(final)


@given(_pieces)
def test_no_event_is_without_effect(texts: list[str]) -> None:
    deltas = DeltaBuilder()
    for text in texts:
        before = deltas.text
        event = deltas.update(text)
        assert (event is None) == (deltas.text == before)
        assert event is None or isinstance(event, Replace) or event.text


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("one [^1", "one [^1"),
        ("one [^1^]", "one [^1^]"),
        ("smile \ud83d", "smile "),
        ("smile \ud83d[^1", "smile [^1"),
    ],
)
def test_what_may_still_change_is_held_back(text: str, sure: str) -> None:
    assert shown([DeltaBuilder().update(text)]) == sure


def test_a_replaced_text_is_sent_whole() -> None:
    deltas = DeltaBuilder()
    assert deltas.update("Searching for cats") == Delta("Searching for cats")
    assert deltas.update("Cats are animals") == Replace("Cats are animals")
    assert deltas.finish("Cats are animals.") == Delta(".")


def test_a_text_that_shrinks_for_a_while_is_not_taken_back() -> None:
    deltas = DeltaBuilder()
    assert deltas.update("one two") == Delta("one two")
    assert deltas.update("one") is None
    assert deltas.update("one two three") == Delta(" three")


def test_a_text_that_shrinks_and_grows_otherwise_is_replaced() -> None:
    deltas = DeltaBuilder()
    assert deltas.update("one two") == Delta("one two")
    assert deltas.update("one") is None
    assert deltas.update("one three") == Replace("one three")


def test_a_text_that_ends_shorter_is_replaced() -> None:
    deltas = DeltaBuilder()
    deltas.update("one two")
    assert deltas.finish("one") == Replace("one")
    assert deltas.text == "one"


def test_a_character_that_was_cut_in_two_comes_when_it_is_whole() -> None:
    deltas = DeltaBuilder()
    assert deltas.update("smile \ud83d") == Delta("smile ")
    assert deltas.update("smile \ud83d\ude00!") == Delta("😀!")


def test_a_change_not_far_back_shows_at_once() -> None:
    deltas, long = DeltaBuilder(), "x" * 250
    assert deltas.update("one" + long) == Delta("one" + long)
    assert deltas.update("two" + long + "y") == Replace("two" + long + "y")


def test_a_change_far_back_is_reported_with_the_end() -> None:
    deltas, long = DeltaBuilder(), "x" * 1000
    assert deltas.update("one" + long) == Delta("one" + long)
    assert deltas.update("two" + long + "y") == Delta("y")
    assert deltas.finish("two" + long + "y") == Replace("two" + long + "y")


def test_a_change_far_back_is_reported_with_the_next_one_that_shows() -> None:
    deltas, long = DeltaBuilder(), "x" * 1000
    deltas.update("one" + long)
    deltas.update("two" + long + "y")
    assert deltas.update("two" + long + "z") == Replace("two" + long + "z")


def test_what_comes_after_the_end_continues_it() -> None:
    deltas = DeltaBuilder()
    deltas.update("one")
    assert deltas.finish("one two") == Delta(" two")
    assert deltas.update("one two") is None
    assert deltas.update("one two three") == Delta(" three")


def test_nothing_is_sent_twice() -> None:
    deltas = DeltaBuilder()
    assert deltas.update("one") == Delta("one")
    assert deltas.update("one") is None
    assert deltas.finish("one") is None
