from hypothesis import given
from hypothesis import strategies as st

from emulator.openai.messages import CONTEXT, ROLES, Message, said

MESSAGES = st.lists(st.builds(Message, st.sampled_from(ROLES), st.text(max_size=5)), max_size=6).map(tuple)


@given(MESSAGES)
def test_a_list_of_messages_is_the_question_and_the_rest(messages: tuple[Message, ...]) -> None:
    told = said(messages)
    asked = [message.text for message in messages if message.role == "user"]
    assert told.question == (asked[-1] if asked else "")
    assert [*told.questions, *([told.question] if asked else [])] == asked
    assert len(told.before) == len(messages) - bool(asked)


@given(MESSAGES, MESSAGES)
def test_a_digest_stands_for_roles_texts_and_order(one: tuple[Message, ...], other: tuple[Message, ...]) -> None:
    last = Message("user", "last")
    first, second = said((*one, last)), said((*other, last))
    assert (first.digest == second.digest) == (one == other)


def test_without_anything_before_there_is_no_digest_and_no_context() -> None:
    told = said((Message("user", "hello"),))
    assert (told.digest, told.context, told.questions) == ("", "", ())


def test_the_context_keeps_the_newest() -> None:
    told = said((Message("user", "x" * CONTEXT), Message("assistant", "end"), Message("user", "hello")))
    assert len(told.context) == CONTEXT
    assert told.context.endswith("xxx\nassistant: end")
