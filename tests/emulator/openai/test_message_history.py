import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.call_directives import CallDirectives, DirectedCall
from emulator.openai.message_history import CONTEXT, ROLES, CompletionMessage, SentCall, open_turn, split_question
from emulator.reply import ToolResult

MESSAGES = st.lists(st.builds(CompletionMessage, st.sampled_from(ROLES), st.text(max_size=5)), max_size=6).map(tuple)


@given(MESSAGES)
def test_a_list_of_messages_is_the_question_and_the_rest(messages: tuple[CompletionMessage, ...]) -> None:
    history = split_question(messages)
    questions = [message.text for message in messages if message.role == "user"]
    assert history.question == (questions[-1] if questions else "")
    assert [*history.questions, *([history.question] if questions else [])] == questions
    assert len(history.before) == len(messages) - bool(questions)


@given(MESSAGES, MESSAGES)
def test_a_digest_depends_on_roles_texts_and_order(
    one: tuple[CompletionMessage, ...], other: tuple[CompletionMessage, ...]
) -> None:
    last = CompletionMessage("user", "last")
    first, second = split_question((*one, last)), split_question((*other, last))
    assert (first.digest == second.digest) == (one == other)


def test_without_anything_before_there_is_no_digest_and_no_context() -> None:
    history = split_question((CompletionMessage("user", "hello"),))
    assert (history.digest, history.context, history.questions) == ("", "", ())


def test_the_context_keeps_the_newest() -> None:
    history = split_question(
        (
            CompletionMessage("user", "x" * CONTEXT),
            CompletionMessage("assistant", "end"),
            CompletionMessage("user", "hello"),
        )
    )
    assert len(history.context) == CONTEXT
    assert history.context.endswith("xxx\nassistant: end")


ASKED = CompletionMessage("user", "!tool=f")
CALLING = CompletionMessage("assistant", "", calls=(SentCall("c1", "f", "{}"),))
RESULT = CompletionMessage("tool", "done", call_id="c1")
ANSWER = CompletionMessage("assistant", "Done.")
DIRECTIVES = CallDirectives(((DirectedCall("f"),),))


def test_results_since_the_directives_belong_to_the_open_turn() -> None:
    turn = open_turn((CompletionMessage("system", "!tool=g"), ASKED, CALLING, RESULT))
    assert (turn.directives, turn.results) == (DIRECTIVES, (ToolResult("f", "done"),))


def test_an_answer_without_calls_ends_the_turn() -> None:
    turn = open_turn((ASKED, CALLING, RESULT, ANSWER, CompletionMessage("user", "thanks")))
    assert (turn.directives, turn.results) == (CallDirectives(), ())


def test_a_note_behind_the_results_leaves_the_directives() -> None:
    turn = open_turn((ASKED, CALLING, RESULT, CompletionMessage("user", "<environment>")))
    assert (turn.directives, turn.results) == (DIRECTIVES, (ToolResult("f", "done"),))


def test_new_directives_begin_anew() -> None:
    assert open_turn((ASKED, CALLING, RESULT, ASKED)).results == ()


@pytest.mark.parametrize("before", ["", "\n", "I look.\n"])
def test_observations_of_smolagents_are_results(before: str) -> None:
    called = CompletionMessage("assistant", f"{before}Calling tools:\n[…]")
    turn = open_turn((ASKED, called, CompletionMessage("user", "Observation:\ndone")))
    assert (turn.directives, turn.results) == (DIRECTIVES, (ToolResult("", "done"),))
