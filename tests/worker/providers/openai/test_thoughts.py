"""Reasoning between tags becomes reasoning, however the text is cut."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.providers.openai.thoughts import Beginning, Split, ThoughtSplitter


def split(*pieces: str, beginning: Beginning = None) -> tuple[str, str]:
    """Return the text and the reasoning that the pieces of an answer add up to."""
    splitter = ThoughtSplitter(beginning)
    splits = [one for piece in pieces for one in splitter.feed(piece)] + splitter.end()
    assert all(text for _, text in splits)
    return joined(splits, "text"), joined(splits, "reasoning")


def joined(splits: list[Split], kind: str) -> str:
    return "".join(text for one, text in splits if one == kind)


@pytest.mark.parametrize(
    ("answer", "text", "reasoning"),
    [
        ("", "", ""),
        ("yes", "yes", ""),
        ("<think>hm</think>yes", "yes", "hm"),
        ("<think>\nhm\n</think>\n\nyes\n", "yes\n", "\nhm\n"),
        (" \n<think>hm</think> yes", "yes", "hm"),
        ("<think>hm</think>\n    code", "    code", "hm"),
        ("<think></think><think>a</think>\n<think>b</think>yes", "yes", "ab"),
        ("<think>\n\n</think>\n\nyes", "yes", ""),
        ("<think>never ends", "", "never ends"),
        ("<think>hm</think>", "", "hm"),
        ("hm, and so\n</think>\n\nyes", "yes", "hm, and so"),
        ("</think>yes", "yes", ""),
        ("one\n<think>hm</think>\ntwo", "one\ntwo", "hm"),
        ("one\n<think>hm</think>\n<think>so</think>\ntwo", "one\ntwo", "hmso"),
        ("one\n<think>is a tag", "one\n<think>is a tag", ""),
        ("Like so:\n<think>\nhm\n</think>\nyes", "Like so:\nyes", "\nhm\n"),
        ("Say <think>\n</think>", "Say <think>\n</think>", ""),
        ("use `<think>` and `</think>`", "use `<think>` and `</think>`", ""),
        ("<thinking>no tag of ours</thinking>", "<thinking>no tag of ours</thinking>", ""),
        ("<thi", "<thi", ""),
    ],
)
def test_reasoning_is_no_part_of_the_text(answer: str, text: str, reasoning: str) -> None:
    assert split(answer) == split(*answer) == (text, reasoning)


PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "\n", "a", "<", "think>", "</", " ", "[^1^]"]), max_size=12
).map("".join)
BEGINNINGS = st.sampled_from([None, "text", "thought"])


@settings(max_examples=1000)
@given(PIECES, st.lists(st.integers(0, 60), max_size=12), BEGINNINGS)
@example("<think>a</think>\na\n<think>b</think>\nc", list(range(60)), None)
def test_however_an_answer_is_cut_it_is_split_alike(answer: str, cuts: list[int], beginning: Beginning) -> None:
    places = sorted({min(place, len(answer)) for place in cuts} | {0, len(answer)})
    pieces = [answer[start:stop] for start, stop in itertools.pairwise(places)]
    assert split(*pieces, beginning=beginning) == split(answer, beginning=beginning)


@given(st.text(), st.sampled_from([None, "text"]))
def test_any_text_without_tags_stays_as_it_is(text: str, beginning: Beginning) -> None:
    assert split(*text, beginning=beginning) == (text, "")


def test_a_text_is_shown_as_it_grows_once_a_server_is_known_to_begin_with_it() -> None:
    assert ThoughtSplitter().feed("one two") == []
    assert ThoughtSplitter("text").feed("one two") == [("text", "one two")]
    splitter = ThoughtSplitter()
    assert splitter.feed("<think>hm") == [("reasoning", "hm")]
    assert splitter.beginning == "text"


def test_a_server_that_begins_in_reasoning_is_known_by_its_first_answer() -> None:
    splitter = ThoughtSplitter()
    assert splitter.feed("hm\n") == []
    assert splitter.feed("</think>\nyes") == [("reasoning", "hm"), ("text", "yes")]
    again = ThoughtSplitter(splitter.beginning)
    assert again.feed("so so") == [("reasoning", "so so")]
    assert again.feed("\n</think>\n\nno") == [("text", "no")]


def test_an_answer_of_such_a_server_without_any_end_of_reasoning_is_the_text_too() -> None:
    assert split("yes", " or no", beginning="thought") == ("yes or no", "yes or no")


def test_a_late_discovery_changes_nothing_that_was_shown() -> None:
    assert split("hm\n</think>\nyes", beginning="text") == ("hm\nyes", "")


@pytest.mark.parametrize("beginning", ["thought", "text", None])
@pytest.mark.parametrize("start", ["", "<think>", "<think>a</think>", "a\n", "<think>a", "a\n<think>b</think>"])
def test_endless_white_space_is_not_held_back(start: str, beginning: Beginning) -> None:
    splitter = ThoughtSplitter(beginning)
    splitter.feed(start)
    for _ in range(100):
        splitter.feed(" " * 100)
        assert len(splitter._held) + len(splitter._blank or "") < 2000


def test_an_answer_without_reasoning_ends_what_one_before_has_shown() -> None:
    """A client can have the model write an end, and all answers after it would be taken for reasoning."""
    splitter = ThoughtSplitter("thought")
    splitter.feed("yes")
    splitter.end()
    assert splitter.beginning is None
