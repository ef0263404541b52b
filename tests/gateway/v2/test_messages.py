"""The messages of `bing-chat.v2`: what clients may say."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RefusedError
from gateway.legacy import params
from gateway.v2 import messages
from gateway.v2.messages import AskMessage, ResumeMessage, StopMessage
from wire.errors import AnswerNotFoundError
from wire.reasons import Reason

ANSWER = "s0-" + "0a" * 16
LIMIT = 1000
ASK = {"type": "ask", "id": "q1", "style": "precise", "question": "hi"}


def parse_request(message: messages.Message) -> messages.Request:
    """Parse a message of a client whose questions may have LIMIT bytes."""
    return messages.parse_request(message, LIMIT)


def test_an_ask_holds_a_question() -> None:
    assert parse_request(ASK) == AskMessage(params.QuestionParams("precise", "hi", None), None)
    more = {**ASK, "token": "t", "idempotency_key": "k" * 16, "unknown": []}
    assert parse_request(more) == AskMessage(params.QuestionParams("precise", "hi", "t"), "k" * 16)


def test_an_ask_may_name_a_model_and_then_needs_no_style() -> None:
    question = {"type": "ask", "id": "q1", "question": "hi", "model": "org/m"}
    wanted = AskMessage(params.QuestionParams("balanced", "hi", None), None, model="org/m")
    assert parse_request(question) == wanted
    assert parse_request({**ASK, "model": None}).model is None  # type: ignore[union-attr]


def test_a_stop_and_a_resume_name_an_answer() -> None:
    assert parse_request({"type": "stop", "answer": ANSWER}) == StopMessage(ANSWER)
    assert parse_request({"type": "resume", "answer": ANSWER}) == ResumeMessage(ANSWER, 0)
    assert parse_request({"type": "resume", "answer": ANSWER, "after": 7, "id": "x"}) == ResumeMessage(ANSWER, 7)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({}, Reason.REQUEST_FORMAT),
        ({"type": "nonsense", "id": "a"}, Reason.REQUEST_FORMAT),
        ({"type": ["ask"], "id": "a"}, Reason.REQUEST_FORMAT),
        ({**ASK, "id": ""}, Reason.REQUEST_FORMAT),
        ({**ASK, "id": "x" * 65}, Reason.REQUEST_FORMAT),
        ({**ASK, "id": 1}, Reason.REQUEST_FORMAT),
        ({**ASK, "id": None}, Reason.REQUEST_FORMAT),
        ({**ASK, "id": "\ud800"}, Reason.REQUEST_FORMAT),
        ({"type": "ask", "style": "precise", "question": "hi"}, Reason.REQUEST_FORMAT),
        ({**ASK, "question": ["hi"]}, Reason.REQUEST_FORMAT),
        ({**ASK, "idempotency_key": 1}, Reason.REQUEST_FORMAT),
        ({**ASK, "idempotency_key": "\ud800"}, Reason.REQUEST_FORMAT),
        ({**ASK, "style": "nice", "question": " "}, Reason.REQUEST_EMPTY),
        ({**ASK, "style": "nice", "token": "?"}, Reason.REQUEST_STYLE),
        ({**ASK, "token": "?"}, Reason.TOKEN_UNKNOWN),
        *[({**ASK, "model": model}, Reason.REQUEST_FORMAT) for model in ("", 1, ["m"], "m" * 257, "\ud800")],
        ({**ASK, "style": "nice", "model": "m"}, Reason.REQUEST_STYLE),
        ({"type": "stop"}, Reason.REQUEST_FORMAT),
        ({"type": "stop", "answer": 1}, Reason.REQUEST_FORMAT),
        ({"type": "stop", "answer": ANSWER, "id": 1}, Reason.REQUEST_FORMAT),
        ({"type": "resume", "id": "a"}, Reason.REQUEST_FORMAT),
        *[
            ({"type": "resume", "answer": ANSWER, "after": after}, Reason.REQUEST_FORMAT)
            for after in (-1, 10**9, "1", 1.0, None, True)
        ],
    ],
)
def test_what_can_not_be_used_is_refused(message: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_request(message)
    assert refused.value.reason == reason


@pytest.mark.parametrize("answer", ["", "x", ANSWER + ".1", "s0-" + "0" * 31, "s0-" + "g" * 32])
@pytest.mark.parametrize("kind", ["stop", "resume"])
def test_an_id_that_can_not_be_one_is_an_unknown_answer(kind: str, answer: str) -> None:
    with pytest.raises(AnswerNotFoundError):
        parse_request({"type": kind, "answer": answer})


@pytest.mark.parametrize(
    ("id_field", "id_"), [("a", "a"), ("x" * 64, "x" * 64), ("😀", "😀"), ("", None), ("x" * 65, None), (1, None)]
)
def test_a_message_is_named_by_its_id_if_it_has_a_valid_one(id_field: object, id_: str | None) -> None:
    assert messages.parse_id({"id": id_field}) == id_


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=2)
)
names = st.sampled_from(["type", "id", "answer", "after", "style", "question", "token", "idempotency_key"])
words = st.sampled_from(["ask", "stop", "resume", "precise", ANSWER])


@given(st.dictionaries(names, json_values | words))
def test_any_message_is_a_request_or_refused(message: dict[str, Any]) -> None:
    try:
        request = parse_request(message)
    except (RefusedError, AnswerNotFoundError):
        return
    assert isinstance(request, AskMessage | StopMessage | ResumeMessage)


@pytest.mark.parametrize("wait", [-1, 301, "5", True, None])
def test_a_wait_that_is_none_is_refused(wait: object) -> None:
    with pytest.raises(RefusedError):
        parse_request({"type": "ask", "id": "1", "style": "balanced", "question": "hi", "wait": wait})


def test_a_wait_is_taken_along() -> None:
    request = parse_request({"type": "ask", "id": "1", "style": "balanced", "question": "hi", "wait": 2.5})
    assert isinstance(request, messages.AskMessage)
    assert request.wait == 2.5


# Texts that UTF-8 can hold: the schema can't rule the others out.
asks = st.fixed_dictionaries(
    {
        "type": st.just("ask"),
        "id": st.text(min_size=1, max_size=64),
        "style": st.sampled_from(["balanced", "creative", "precise"]),
        "question": st.text(min_size=1),
    },
    optional={
        "token": st.none() | st.text(),
        "idempotency_key": st.none() | st.text(max_size=255),
        "wait": st.floats(0, 300) | st.integers(0, 300),
    },
)


@given(asks)
def test_an_ask_as_the_document_describes_it_has_no_wrong_format(message: dict[str, Any]) -> None:
    msgspec.convert(message, messages.AskFields)
    try:
        request = parse_request(message)
    except RefusedError as refused:
        assert refused.reason in (Reason.REQUEST_EMPTY, Reason.TOKEN_UNKNOWN)  # noqa: PT017 - most aren't refused
    else:
        assert isinstance(request, AskMessage)


@pytest.mark.parametrize("after", [0, 1, 10**9 - 1, -1, 10**9, 1.5, "1", None, True])
def test_the_document_has_the_limits_of_a_place_in_an_answer(after: object) -> None:
    message = {"type": "resume", "answer": ANSWER, "after": after}
    try:
        msgspec.convert(message, messages.ResumeFields)
    except msgspec.ValidationError:
        with pytest.raises(RefusedError):
            parse_request(message)
    else:
        assert isinstance(parse_request(message), ResumeMessage)
