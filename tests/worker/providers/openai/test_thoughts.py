import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.providers.openai.thoughts import remove_thoughts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", ""),
        ("yes", "yes"),
        ("<think>hm</think>yes", "yes"),
        ("<think>\nhm\n</think>\n\nyes\n", "yes\n"),
        (" \n<think>hm</think> yes", "yes"),
        ("<think>hm</think>\n    code", "    code"),
        ("<think></think><think>a</think>\n<think>b</think>yes", "yes"),
        ("<think>never ends", ""),
        ("<think>hm</think>", ""),
        ("hm, and so\n</think>\n\nyes", "yes"),
        ("</think>yes", "yes"),
        ("one\n<think>hm</think>\ntwo", "one\ntwo"),
        ("one\n<think>is a tag", "one\n<think>is a tag"),
        ("Like so:\n<think>\nhm\n</think>\nyes", "Like so:\nyes"),
        ("Say <think>\n</think>", "Say <think>\n</think>"),
        ("use `<think>` and `</think>`", "use `<think>` and `</think>`"),
        ("<thinking>no tag of ours</thinking>", "<thinking>no tag of ours</thinking>"),
        ("<thi", "<thi"),
    ],
)
def test_reasoning_is_no_part_of_the_answer(text: str, answer: str) -> None:
    assert remove_thoughts(text, whole=True) == answer


PIECES = st.lists(st.sampled_from(["<think>", "</think>", "\n", "a", "<", "think>", "[^1^]"]), max_size=10).map("".join)


@settings(max_examples=500)
@given(PIECES.filter(lambda text: "</think>" not in text.partition("<think>")[0]))
@example("<think>a</think>\na\n<think>b</think>\nc")
def test_what_is_shown_while_it_grows_is_the_beginning_of_the_answer(text: str) -> None:
    answer = remove_thoughts(text, whole=True)
    for end in range(len(text) + 1):
        assert answer.startswith(remove_thoughts(text[:end], whole=False).rstrip("\n"))


@given(st.text())
def test_any_text_without_tags_stays_as_it_is(text: str) -> None:
    assert remove_thoughts(text, whole=True) == text
