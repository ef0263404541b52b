from hypothesis import given
from hypothesis import strategies as st

from wire.messages import Said
from worker.providers.prompt import messages
from worker.replay import Past

SAID = st.builds(Said, st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=5))


def test_the_question_comes_last_and_how_to_answer_first() -> None:
    past = Past("Be kind.", (Said("user", "a"), Said("assistant", "b"), Said("tool", "c")))
    assert [(one["role"], one["content"]) for one in messages("Be short.", past, "d", 100)] == [
        ("system", "Be short.\n\nBe kind."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
        ("user", "d"),
    ]


def test_without_a_past_there_is_only_the_question() -> None:
    assert messages("", Past(), "hello", 100) == [{"role": "user", "content": "hello"}]


@given(st.lists(SAID, max_size=12), st.integers(0, 12))
def test_only_the_newest_is_told_and_never_an_answer_first(said: list[Said], most: int) -> None:
    *told, question = messages("", Past("", tuple(said)), "q", most)
    assert question == {"role": "user", "content": "q"}
    assert len(told) <= most
    texts = [one["content"] for one in told]
    assert texts == [one.text for one in said][len(said) - len(told) :]
    assert not told or told[0]["role"] != "assistant"
    left_out = said[max(0, len(said) - most) : len(said) - len(told)]
    assert all(one.role == "assistant" for one in left_out)
