"""The messages for a server: as their client sent them."""

from hypothesis import given
from hypothesis import strategies as st

from wire.messages import HistoryMessage
from worker.providers.openai.prompt import build_messages
from worker.providers.transcript import History

SAID = st.builds(HistoryMessage, st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=5))
PAST = History(
    "Be kind.",
    (HistoryMessage("assistant", "Hi!"), HistoryMessage("user", "a", "Ann"), HistoryMessage("user", "b")),
)


def built(history: History, system: str = "", **how: str) -> list[tuple[str, str]]:
    messages = build_messages(system, history, "q", 100, **how)  # type: ignore[arg-type]
    return [(message["role"], message["content"]) for message in messages]


def test_the_question_comes_last_and_how_to_answer_first() -> None:
    past = History(
        "Be kind.", (HistoryMessage("user", "a"), HistoryMessage("assistant", "b"), HistoryMessage("tool", "c"))
    )
    assert built(past, "Be short.") == [
        ("system", "Be short.\n\nBe kind."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
        ("user", "q"),
    ]


def test_without_a_past_there_is_only_the_question() -> None:
    assert build_messages("", History(), "hello", 100) == [{"role": "user", "content": "hello"}]


def test_a_first_greeting_and_neighbours_of_one_role_stay_as_they_are() -> None:
    assert built(PAST)[1:] == [("assistant", "Hi!"), ("user", "a"), ("user", "b"), ("user", "q")]


def test_names_go_along() -> None:
    assert [message.get("name") for message in build_messages("", PAST, "q", 100)] == [None, None, "Ann", None, None]


def test_what_is_asked_goes_as_it_was_sent() -> None:
    messages = (HistoryMessage("user", "hi", "Bob"), HistoryMessage("system", "s"), HistoryMessage("assistant", "Once"))
    assert built(History(asked=messages)) == [("user", "hi"), ("system", "s"), ("assistant", "Once")]


def test_several_messages_of_the_system_at_the_beginning_stay_apart() -> None:
    leading = (HistoryMessage("system", "one"), HistoryMessage("system", "two"))
    assert built(History("one\n\ntwo", leading=leading), "Be short.") == [
        ("system", "Be short.\n\none"),
        ("system", "two"),
        ("user", "q"),
    ]


def test_where_the_account_wants_it_the_system_comes_first_in_one_message() -> None:
    past = History("one", (HistoryMessage("user", "a"), HistoryMessage("system", "two"), HistoryMessage("user", "b")))
    assert built(past, placement="first") == [("system", "one\n\ntwo"), ("user", "a"), ("user", "b"), ("user", "q")]
    assert built(past)[1:] == [("user", "a"), ("system", "two"), ("user", "b"), ("user", "q")]


@given(st.lists(SAID, max_size=12), st.integers(0, 12))
def test_only_the_newest_is_sent_and_a_part_does_not_begin_with_an_answer(
    messages: list[HistoryMessage], most: int
) -> None:
    numbered = tuple(HistoryMessage(message.role, str(number)) for number, message in enumerate(messages))
    *numbers, question = [message["content"] for message in build_messages("", History("", numbered), "q", most)]
    assert question == "q"
    assert len(numbers) <= most
    first = len(messages) - len(numbers)
    assert numbers == [message.text for message in numbered[first:]]
    assert not first or not numbers or numbered[first].role != "assistant"
    assert all(message.role == "assistant" for message in numbered[max(0, len(messages) - most) : first])
