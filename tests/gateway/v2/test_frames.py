"""The frames of `bing-chat.v2`, to the byte."""

import json

from gateway.errors import Problem
from gateway.v2.frames import V2Frames, render_refusal
from wire.answer_reader import AnswerEvent
from wire.answers import QueuePosition
from wire.messages import Delta, Failed, Final, Replace, Source, TurnCount

ANSWER = "s0-" + "0a" * 16
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


def test_a_picture_that_is_kept_here_has_an_absolute_address() -> None:
    path = f"/pictures/s0-{'0a' * 24}"
    frame = V2Frames(None, ANSWER, origin="https://e.org").render(AnswerEvent(1, Final("", images=(path, "https://i"))))
    assert json.loads(frame)["images"] == [f"https://e.org{path}", "https://i"]


def test_a_failed_frame_of_an_answer_has_its_seq_and_text() -> None:
    event = Failed("account.throttled", "half", reset=False, retry_after=7200)
    assert FRAMES.render(AnswerEvent(2, event)).decode() == (
        f'{{"type":"failed",{HEAD},"seq":2,"code":120,"message":"已上限,24小时后尝试","reason":"account.throttled","text":"half",'
        '"reset":false,"retry_after":7200}'
    )


def test_the_provider_is_in_the_frame_of_an_event_that_has_it() -> None:
    for event in (Delta("a", provider="p"), Replace("a", provider="p"), Final("a", provider="p")):
        assert json.loads(FRAMES.render(AnswerEvent(1, event)))["provider"] == "p"
    assert json.loads(FRAMES.render(AnswerEvent(1, Failed("interrupted", provider="p"))))["provider"] == "p"


def test_a_failed_frame_of_this_gateway_has_no_seq() -> None:
    problem = Problem(500, "回答超时", None, "timeout.gateway")
    tail = '"code":500,"message":"回答超时","reason":"timeout.gateway","retry_after":null'
    assert FRAMES.render_error(problem).decode() == f'{{"type":"failed",{HEAD},{tail}}}'
    assert render_refusal("q1", problem).decode() == f'{{"type":"failed","id":"q1",{tail}}}'
    assert render_refusal(None, problem).decode() == f'{{"type":"failed",{tail}}}'


def test_without_an_id_frames_have_none() -> None:
    assert list(json.loads(V2Frames(None, ANSWER).render_accepted("t"))) == ["type", "answer", "seq", "token"]
