from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wire.messages import HistoryMessage
from worker.providers.openai.prompt import build_messages
from worker.providers.transcript import History

SAID = st.builds(HistoryMessage, st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=5))


def test_the_question_comes_last_and_how_to_answer_first() -> None:
    past = History(
        "Be kind.", (HistoryMessage("user", "a"), HistoryMessage("assistant", "b"), HistoryMessage("tool", "c"))
    )
    assert [(message["role"], message["content"]) for message in build_messages("Be short.", past, "d", 100)] == [
        ("system", "Be short.\n\nBe kind."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c\n\nd"),
    ]


def test_without_a_past_there_is_only_the_question() -> None:
    assert build_messages("", History(), "hello", 100) == [{"role": "user", "content": "hello"}]


@given(st.lists(SAID, max_size=12), st.integers(0, 12))
def test_only_the_newest_is_sent_and_never_an_answer_first(said: list[HistoryMessage], most: int) -> None:
    # Numbers instead of texts, so that what was merged can be distinguished again.
    numbered = tuple(HistoryMessage(message.role, str(number)) for number, message in enumerate(said))
    built = build_messages("", History("", numbered), "q", most)
    *numbers, question = [text for message in built for text in message["content"].split("\n\n")]
    assert (built[-1]["role"], question) == ("user", "q")
    assert len(numbers) <= most
    first = len(said) - len(numbers)
    assert numbers == [message.text for message in numbered[first:]]
    assert built[0]["role"] != "assistant"
    assert all(message.role == "assistant" for message in numbered[max(0, len(said) - most) : first])


@given(st.lists(SAID, max_size=12))
def test_no_two_neighbours_have_one_role(said: list[HistoryMessage]) -> None:
    roles = [message["role"] for message in build_messages("", History("", tuple(said)), "q", 100)]
    assert all(message != other for message, other in pairwise(roles))
