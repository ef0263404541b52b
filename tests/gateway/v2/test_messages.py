"""The messages of `bing-chat.v2`: what clients may say, and the frames they get, to the byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem, RefusedError
from gateway.legacy import params
from gateway.v2 import messages
from gateway.v2.messages import AskMessage, ResumeMessage, StopMessage, V2Frames
from wire.answer_reader import AnswerEvent
from wire.answers import QueuePosition
from wire.errors import AnswerNotFoundError
from wire.messages import Delta, Failed, Final, Replace, Source, TurnCount
from wire.reasons import Reason

ANSWER = "s0-" + "0a" * 16
ASK = {"type": "ask", "id": "q1", "style": "precise", "question": "hi"}


def test_an_ask_holds_a_question() -> None:
    assert messages.parse_request(ASK) == AskMessage(params.QuestionParams("precise", "hi", None), None)
    more = {**ASK, "token": "t", "idempotency_key": "k" * 16, "unknown": []}
    assert messages.parse_request(more) == AskMessage(params.QuestionParams("precise", "hi", "t"), "k" * 16)


def test_a_stop_and_a_resume_name_an_answer() -> None:
    assert messages.parse_request({"type": "stop", "answer": ANSWER}) == StopMessage(ANSWER)
    assert messages.parse_request({"type": "resume", "answer": ANSWER}) == ResumeMessage(ANSWER, 0)
    assert messages.parse_request({"type": "resume", "answer": ANSWER, "after": 7, "id": "x"}) == ResumeMessage(
        ANSWER, 7
    )


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
        messages.parse_request(message)
    assert refused.value.reason == reason


@pytest.mark.parametrize("answer", ["", "x", ANSWER + ".1", "s0-" + "0" * 31, "s0-" + "g" * 32])
@pytest.mark.parametrize("kind", ["stop", "resume"])
def test_an_id_that_can_not_be_one_is_an_unknown_answer(kind: str, answer: str) -> None:
    with pytest.raises(AnswerNotFoundError):
        messages.parse_request({"type": kind, "answer": answer})


@pytest.mark.parametrize(
    ("found", "id_"), [("a", "a"), ("x" * 64, "x" * 64), ("😀", "😀"), ("", None), ("x" * 65, None), (1, None)]
)
def test_a_message_is_told_by_its_id_if_it_has_a_sound_one(found: object, id_: str | None) -> None:
    assert messages.parse_id({"id": found}) == id_


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=2)
)
names = st.sampled_from(["type", "id", "answer", "after", "style", "question", "token", "idempotency_key"])
words = st.sampled_from(["ask", "stop", "resume", "precise", ANSWER])


@given(st.dictionaries(names, json_values | words))
def test_any_message_is_a_request_or_refused(message: dict[str, Any]) -> None:
    try:
        found = messages.parse_request(message)
    except (RefusedError, AnswerNotFoundError):
        return
    assert isinstance(found, AskMessage | StopMessage | ResumeMessage)


FRAMES = V2Frames("q1", ANSWER)
HEAD = f'"id":"q1","answer":"{ANSWER}"'


def test_frames_begin_with_type_id_answer_and_seq() -> None:
    assert FRAMES.render_accepted("t").decode() == f'{{"type":"accepted",{HEAD},"seq":0,"token":"t"}}'
    assert (
        FRAMES.render_queued(QueuePosition(2, 9)).decode()
        == f'{{"type":"queued",{HEAD},"seq":0,"position":2,"wait":9}}'
    )
    assert FRAMES.render(AnswerEvent(3, Delta("天\n"))).decode() == f'{{"type":"delta",{HEAD},"seq":3,"text":"天\\n"}}'
    assert FRAMES.render(AnswerEvent(4, Replace("b"))).decode() == f'{{"type":"replace",{HEAD},"seq":4,"text":"b"}}'


def test_a_final_frame_holds_the_whole_answer() -> None:
    end = Final("ab", (Source("t", "u"),), reset=True, suggestions=("why?",), turns=TurnCount(1, 30))
    assert FRAMES.render(AnswerEvent(5, end)).decode() == (
        f'{{"type":"final",{HEAD},"seq":5,"text":"ab","urls":[{{"title":"t","url":"u"}}],"suggestions":["why?"],'
        '"turns":{"used":1,"limit":30},"reset":true,"stopped":false}'
    )
    assert FRAMES.render(AnswerEvent(1, Final("", stopped=True, images=("i",)))).decode() == (
        f'{{"type":"final",{HEAD},"seq":1,"text":"","urls":[],"suggestions":[],'
        '"turns":null,"reset":false,"stopped":true,"images":["i"]}'
    )


def test_a_failed_frame_of_an_answer_has_its_seq_and_text() -> None:
    event = Failed("account.throttled", "half", reset=False, retry_after=60)
    assert FRAMES.render(AnswerEvent(2, event)).decode() == (
        f'{{"type":"failed",{HEAD},"seq":2,"code":120,"message":"已上限,24小时后尝试","reason":"account.throttled","text":"half",'
        '"reset":false,"retry_after":60}'
    )


def test_who_answers_is_told_where_an_event_tells_it() -> None:
    for event in (Delta("a", provider="p"), Replace("a", provider="p"), Final("a", provider="p")):
        assert json.loads(FRAMES.render(AnswerEvent(1, event)))["provider"] == "p"
    assert json.loads(FRAMES.render(AnswerEvent(1, Failed("interrupted", provider="p"))))["provider"] == "p"


def test_a_failed_frame_of_this_gateway_has_no_seq() -> None:
    problem = Problem(500, "回答超时", None, "timeout.gateway")
    told = '"code":500,"message":"回答超时","reason":"timeout.gateway","retry_after":null'
    assert FRAMES.render_error(problem).decode() == f'{{"type":"failed",{HEAD},{told}}}'
    assert messages.render_refusal("q1", problem).decode() == f'{{"type":"failed","id":"q1",{told}}}'
    assert messages.render_refusal(None, problem).decode() == f'{{"type":"failed",{told}}}'


def test_without_an_id_frames_have_none() -> None:
    assert list(json.loads(V2Frames(None, ANSWER).render_accepted("t"))) == ["type", "answer", "seq", "token"]


@pytest.mark.parametrize("wait", [-1, 301, "5", True, None])
def test_a_wait_that_is_none_is_refused(wait: object) -> None:
    with pytest.raises(RefusedError):
        messages.parse_request({"type": "ask", "id": "1", "style": "balanced", "question": "hi", "wait": wait})


def test_a_wait_is_taken_along() -> None:
    found = messages.parse_request({"type": "ask", "id": "1", "style": "balanced", "question": "hi", "wait": 2.5})
    assert isinstance(found, messages.AskMessage)
    assert found.wait == 2.5
