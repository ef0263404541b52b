"""Results follow their calls, and the items of an answer are one message."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.errors import InvalidRequestError
from gateway.openai.responses.item_order import MAX_ANSWER, PlacedMessage, join_items, link_items
from wire.prompt import Message, Text, Thought, ToolCall

USER = Message("user", (Text("hi"),))


def call(id_: str) -> Message:
    return Message("assistant", calls=(ToolCall(id_, "f", "{}"),))


def result(id_: str) -> Message:
    return Message("tool", (Text("1"),), call_id=id_)


def text(text: str, *, string: bool = False, **extra: Any) -> Message:
    return Message("assistant", (Text(text),), string=string, extra=extra)


def link(*messages: Message, continues: bool = False) -> list[Message]:
    placed = [PlacedMessage(f"input[{number}]", message) for number, message in enumerate(messages)]
    return link_items(placed, continues=continues)


@pytest.mark.parametrize(
    ("sent", "linked"),
    [
        ([call("a"), call("b"), result("b"), result("a")], [0, 1, 2, 3]),
        ([call("a"), result("a"), call("b"), result("b"), USER], [0, 1, 2, 3, 4]),
        ([call("a"), USER, result("a"), USER], [0, 2, 1, 3]),
        ([call("a"), call("b"), result("a"), text("x"), result("b")], [0, 1, 2, 4, 3]),
        # A server may use an id again in its next answer.
        ([call("a"), result("a"), USER, call("a"), result("a")], [0, 1, 2, 3, 4]),
    ],
)
def test_results_follow_their_calls(sent: list[Message], linked: list[int]) -> None:
    assert link(*sent) == [sent[number] for number in linked]


def test_a_result_may_answer_a_call_before_the_input() -> None:
    sent = [result("x"), call("a"), result("a")]
    assert link(*sent, continues=True) == sent


@pytest.mark.parametrize(
    ("sent", "continues", "param", "words"),
    [
        ([USER, result("a")], False, "input[1].call_id", "No tool call found for the output with call_id 'a'."),
        ([result("a"), call("a")], False, "input[0].call_id", "No tool call found"),
        ([call("a"), USER], False, "input", "No tool output found for the calls: a."),
        ([call("a"), call("b"), result("a")], True, "input", "No tool output found for the calls: b."),
        ([call("a"), result("a"), result("a")], False, "input[2].call_id", "'input' has two results of the call 'a'."),
        ([result("a"), result("a")], True, "input[1].call_id", "'input' has two results of the call 'a'."),
        ([call("a"), call("a"), result("a")], False, "input[1].call_id", "'input' has the call 'a' twice."),
    ],
)
def test_what_does_not_belong_together_is_refused(sent: list[Message], continues: bool, param: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        link(*sent, continues=continues)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


def test_an_answer_has_so_many_items_at_most() -> None:
    answer = [THOUGHT] * MAX_ANSWER
    assert len(link(*answer, USER, *answer)) == 2 * MAX_ANSWER + 1
    with pytest.raises(InvalidRequestError) as caught:
        link(*answer, THOUGHT)
    assert caught.value.fault.param == f"input[{MAX_ANSWER}]"


THOUGHT = Message("assistant", (Thought("hm"),))


@pytest.mark.parametrize(
    ("sent", "joined"),
    [
        (
            [THOUGHT, text("a", string=True), call("a"), call("b"), result("a")],
            [
                Message("assistant", (Thought("hm"), Text("a")), string=True, calls=call("a").calls + call("b").calls),
                result("a"),
            ],
        ),
        ([call("a"), text("b"), THOUGHT], [call("a"), Message("assistant", (Text("b"), Thought("hm")))]),
        ([call("a"), THOUGHT, call("b")], [call("a"), Message("assistant", THOUGHT.parts, calls=call("b").calls)]),
        ([text("a", string=True), text("b", string=True)], [Message("assistant", (Text("a"), Text("b")))]),
        ([THOUGHT, text("a", phase="x")], [Message("assistant", (Thought("hm"), Text("a")), extra={"phase": "x"})]),
        ([text("a", phase="x"), text("b", phase="y")], None),
        (
            [text("a", phase="x"), THOUGHT, text("b", phase="y")],
            [Message("assistant", (Text("a"), Thought("hm")), extra={"phase": "x"}), text("b", phase="y")],
        ),
        ([text("a"), Message("assistant", (Text("b"),), name="Ann")], None),
        ([USER, USER], None),
        ([result("a"), result("b")], None),
    ],
)
def test_items_of_an_answer_are_one_message_unless_something_follows_a_call(
    sent: list[Message], joined: list[Message] | None
) -> None:
    assert join_items(sent) == tuple(sent if joined is None else joined)


@given(st.lists(st.sampled_from([USER, THOUGHT, text("a"), text("b"), call("a"), call("b"), result("a")])))
def test_joining_loses_nothing_and_keeps_the_order(sent: list[Message]) -> None:
    def flat(messages: Any) -> list[Any]:
        return [(each.role, one) for each in messages for one in (*each.parts, *each.calls)]

    assert flat(join_items(sent)) == flat(sent)
