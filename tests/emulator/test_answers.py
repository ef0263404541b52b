from hypothesis import given
from hypothesis import strategies as st

from emulator import answers


def test_the_topic_and_the_conversation_are_named() -> None:
    text = answers.compose("cats", 2, "dogs", "Precise").text
    assert "**cats**" in text
    assert "question 2" in text
    assert "“dogs”" in text
    assert "briefly" in text


def test_it_is_written_in_the_questions_language() -> None:
    assert answers.is_chinese(answers.compose("猫是什么", 1, None, None).text)
    assert not answers.is_chinese(answers.compose("cats", 1, None, None).text)


def test_an_answer_has_three_marks_sources_and_suggestions() -> None:
    answer = answers.compose("cats & dogs", 1, None, None)
    assert [f"[^{number}^]" in answer.text for number in (1, 2, 3)] == [True] * 3
    assert answer.sources[0].url == "https://www.example.com/?q=cats%20%26%20dogs"
    assert len(answer.suggestions) == 3


@given(st.text())
def test_the_pieces_add_up_to_the_text(text: str) -> None:
    pieces = list(answers.split(text))
    assert "".join(pieces) == text
    assert all(pieces)


@given(st.text(min_size=1, max_size=40), st.integers(1, 20_000))
def test_a_long_answer_has_its_length_in_few_pieces(text: str, length: int) -> None:
    long = answers.lengthen(text, length)
    assert len(long) == length
    assert len(list(answers.split(long))) <= answers.MOST_PIECES
