import json

import pytest

from emulator.bing.frames import SEPARATOR
from emulator.bing.question import is_stop, read_question, read_records

QUESTION = {
    "type": 4,
    "invocationId": "3",
    "arguments": [
        {
            "conversationId": "c1",
            "message": {"text": "cats", "locale": "de-DE"},
            "tone": "Precise",
            "requestId": "r1",
            "previousMessages": [{"description": "one"}, {"description": 7}, None, {"description": "two"}],
        }
    ],
}


def test_a_question_is_read_with_all_that_it_names() -> None:
    question = read_question(QUESTION)
    assert question is not None
    assert (question.invocation, question.conversation, question.request_id) == ("3", "c1", "r1")
    assert (question.text, question.locale, question.tone) == ("cats", "de-DE", "Precise")
    assert question.context == "one\ntwo"


def test_what_is_missing_has_a_default() -> None:
    question = read_question({"type": 4, "invocationId": 3, "arguments": [{"message": "x", "tone": 7}]})
    assert question is not None
    assert (question.invocation, question.text, question.locale, question.tone) == ("3", "", "en-US", None)
    assert (question.conversation, question.request_id, question.context) == ("", "", "")


def test_other_records_are_no_question() -> None:
    assert read_question({"type": 6}) is None


@pytest.mark.parametrize("arguments", [None, [], ["x"], {}])
def test_a_question_needs_arguments(arguments: object) -> None:
    with pytest.raises(ValueError, match="no arguments"):
        read_question({"type": 4, "arguments": arguments})


def test_a_message_may_hold_several_records() -> None:
    assert read_records('{"a":1}' + SEPARATOR + '{"b":2}' + SEPARATOR) == [{"a": 1}, {"b": 2}]
    with pytest.raises(ValueError, match="not an object"):
        read_records("[]" + SEPARATOR)
    with pytest.raises(json.JSONDecodeError):
        read_records("{" + SEPARATOR)


@pytest.mark.parametrize(
    ("record", "stops"), [({"type": 5}, True), ({"type": 1, "target": "stop"}, True), ({"type": 1}, False)]
)
def test_a_stop_record_is_known(record: dict[str, object], stops: bool) -> None:
    assert is_stop(record) is stops
