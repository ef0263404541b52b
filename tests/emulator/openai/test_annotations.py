import re

from hypothesis import given
from hypothesis import strategies as st

from emulator import answers
from emulator.answers import SampleAnswer
from emulator.openai import annotations


@given(st.lists(st.sampled_from(["[^1^]", "[^23^]", "[^", "^]", "a", "猫", "\n"]), max_size=12).map("".join))
def test_a_text_loses_its_marks_and_each_marks_line_is_known(text: str) -> None:
    plain, places = annotations.remove_marks(text)
    assert plain == re.sub(r"\[\^\d+\^\]", "", text)
    assert places.keys() == {int(number) for number in re.findall(r"\[\^(\d+)\^\]", text)}
    for start, end in places.values():
        assert 0 <= start <= end <= len(plain)
        assert "\n" not in plain[start:end]
        assert start == 0 or plain[start - 1] == "\n"


def test_an_annotation_covers_the_words_of_its_source() -> None:
    marked = answers.compose("cats", 1, None, None)
    text, places = annotations.remove_marks(marked.text)
    notes = annotations.annotate(SampleAnswer(text, marked.sources, ()), places)
    assert [note["url_citation"]["url"] for note in notes] == [source.url for source in marked.sources]
    first = notes[0]["url_citation"]
    assert text[first["start_index"] : first["end_index"]].startswith("1. **The question**")


def test_a_source_that_the_text_does_not_mention_is_at_its_end() -> None:
    marked = answers.compose("cats", 1, None, None)
    notes = annotations.annotate(SampleAnswer("short", marked.sources, ()), {1: (3, 70)})
    places = [(note["url_citation"]["start_index"], note["url_citation"]["end_index"]) for note in notes]
    assert places == [(3, 5), (5, 5), (5, 5)]
