"""The frames of `bing-chat.v2`, to the byte."""

import json

from gateway.errors import Problem
from gateway.v2.frames import V2Frames, render_refusal
from wire.answer_reader import AnswerEvent
from wire.answers import QueuePosition
from wire.blocks import Block, Piece
from wire.messages import Delta, Failed, Final, Replace, Source, TurnCount, Usage

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


def test_what_is_not_only_text_comes_as_pieces_one_frame_for_each_event() -> None:
    reasoning = Delta("", "openai", "gpt-4o", (Piece(0, "reasoning", "hm"),))
    assert FRAMES.render(AnswerEvent(1, reasoning)).decode() == (
        f'{{"type":"pieces",{HEAD},"seq":1,"pieces":[{{"block":0,"kind":"reasoning","text":"hm"}}],'
        '"provider":"openai","model":"gpt-4o"}'
    )
    both = Delta("so", pieces=(Piece(1, "text", "so"), Piece(2, "tool_call", "{}", "c1", "f")))
    assert FRAMES.render(AnswerEvent(2, both)).decode() == (
        f'{{"type":"delta",{HEAD},"seq":2,"text":"so","pieces":[{{"block":1,"kind":"text","text":"so"}},'
        '{"block":2,"kind":"tool_call","text":"{}","id":"c1","name":"f"}]}'
    )
    opaque = Delta("", pieces=(Piece(3, "opaque", extra={"x": 1}),))
    assert FRAMES.render(AnswerEvent(3, opaque)).decode() == f'{{"type":"pieces",{HEAD},"seq":3,"pieces":[]}}'


def test_pieces_of_nothing_but_text_are_a_plain_delta() -> None:
    delta = Delta("so", pieces=(Piece(1, "text", "s"), Piece(1, "text", "o")))
    assert FRAMES.render(AnswerEvent(2, delta)).decode() == f'{{"type":"delta",{HEAD},"seq":2,"text":"so"}}'


def test_a_final_frame_has_reasoning_calls_model_and_tokens_where_there_are_any() -> None:
    blocks = (Block("reasoning", "hm"), Block("refusal", "no"), Block("tool_call", "{}", "c1", "f"))
    end = Final("", blocks=blocks, model="gpt-4o", usage=Usage(2, 1, reasoning=1, raw={"x": 1}))
    assert FRAMES.render(AnswerEvent(5, end)).decode() == (
        f'{{"type":"final",{HEAD},"seq":5,"text":"","urls":[],"suggestions":[],"turns":null,"reset":false,'
        '"stopped":false,"model":"gpt-4o","reasoning":"hm","refusal":"no",'
        '"tool_calls":[{"id":"c1","name":"f","arguments":"{}"}],'
        '"usage":{"prompt":2,"completion":1,"cached":0,"cache_written":0,"reasoning":1}}'
    )


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
