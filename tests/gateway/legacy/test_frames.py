"""The frames of the old endpoints' streams."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DeadlineError
from gateway.legacy import envelope
from gateway.legacy.frames import LegacyFrames
from tests.support.gateway.harness import joined
from wire.blocks import Block, Piece
from wire.messages import Delta, Event, Failed, Final, Replace, Source


def frames(events: Sequence[Event], token: str | None = "t") -> list[Any]:
    frames = LegacyFrames(token)
    return [json.loads(frame) for event in events for frame in frames.encode(event)]


def test_deltas_go_out_as_they_come_and_the_whole_answer_last() -> None:
    first, second, last = frames([Delta("a"), Delta("b"), Final("ab", urls=(Source("t", "u"),), reset=True)])
    assert first["data"] == {"answer": "a", "urls": [], "done": False, "reset": False, "token": "t"}
    assert second["data"]["answer"] == "b"
    assert last["data"] == {
        "answer": "ab",
        "urls": [{"title": "t", "url": "u"}],
        "done": True,
        "reset": True,
        "token": "t",
    }


def test_replaced_text_goes_out_whole() -> None:
    assert [frame["data"]["answer"] for frame in frames([Delta("ab"), Replace("xy"), Delta("z"), Final("xyz")])] == [
        "ab",
        "xy",
        "z",
        "xyz",
    ]


def test_text_first_known_at_the_end_goes_out_before_the_last_frame() -> None:
    assert [frame["data"]["answer"] for frame in frames([Delta("ab"), Final("abc")])] == ["ab", "c", "abc"]
    assert [frame["data"]["answer"] for frame in frames([Final("abc")])] == ["abc", "abc"]
    assert [frame["data"]["answer"] for frame in frames([Delta("ab"), Final("xyz")])] == ["ab", "xyz", "xyz"]


def test_empty_text_makes_no_delta_frame() -> None:
    assert [frame["data"]["done"] for frame in frames([Delta(""), Replace(""), Final("")])] == [True]


def test_a_failure_is_one_error_frame() -> None:
    assert frames([Delta("a"), Failed("x", code=500, message="坏了")])[1:] == [{"code": 500, "message": "坏了"}]


def test_reasoning_and_calls_make_no_frames_and_their_text_stays_whole() -> None:
    reasoning, call = Piece(0, "reasoning", "hm"), Piece(2, "tool_call", "{}", id="c1", name="f")
    blocks = (Block("reasoning", "hm"), Block("text", "ab"), Block("tool_call", "{}", "c1", "f"))
    events: list[Event] = [
        Delta("", pieces=(reasoning,)),
        Delta("a", pieces=(Piece(1, "text", "a"),)),
        Delta("b", pieces=(Piece(1, "text", "b"), call)),
        Final("ab", blocks=blocks),
    ]
    assert [frame["data"]["answer"] for frame in frames(events)] == ["a", "b", "ab"]
    assert frames([Delta("", pieces=(reasoning,)), Final("", blocks=blocks[:1])]) == [
        {"code": 500, "message": "回答没有文字,只有推理或工具调用"}
    ]


def test_a_stopped_answer_is_a_success_that_resets() -> None:
    (last,) = frames([Delta("a"), Final("a", reset=True, stopped=True)])[1:]
    assert (last["code"], last["data"]["done"], last["data"]["reset"]) == (200, True, True)


def test_only_a_terminal_event_finishes_the_frames() -> None:
    frames = LegacyFrames(None)
    frames.encode(Delta("a"))
    assert not frames.finished
    frames.encode(Final("a"))
    assert frames.finished


pieces = st.lists(st.builds(Delta, st.text()) | st.builds(Replace, st.text()))


@given(pieces, st.text())
def test_the_joined_deltas_always_end_with_the_answer(events: list[Event], text: str) -> None:
    assert joined(frames([*events, Final(text)])).endswith(text)


@given(st.text(min_size=1), st.none() | st.from_regex(r"[\w-]{1,64}", fullmatch=True))
def test_a_delta_frame_is_an_unfinished_answer(text: str, token: str | None) -> None:
    (frame,) = LegacyFrames(token).encode(Delta(text))
    assert frame == envelope.encode_answer(text, (), done=False, reset=False, token=token)
    assert json.loads(frame)["data"]["answer"] == text


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    (frame,) = LegacyFrames(None).encode(Delta("a\udc00"))
    assert json.loads(frame)["data"]["answer"] == "a?"


@pytest.mark.anyio
async def test_an_answer_is_rendered_up_to_its_end() -> None:
    assert LegacyFrames("t").preamble(None) == []
    frames = LegacyFrames("t", reconnects=True)
    (opening,) = frames.preamble(None)
    assert json.loads(opening.data)["data"] == {"answer": "", "urls": [], "done": False, "reset": False, "token": "t"}
    shown = [json.loads(one.data)["data"] for event in (Delta("a"), Final("ab")) for one in await frames.render(event)]
    assert [frame["answer"] for frame in shown] == ["a", "b", "ab"]
    assert frames.finished


def test_what_is_in_no_table_reports_nothing_of_itself() -> None:
    frames = LegacyFrames("t", reconnects=False)
    assert [json.loads(frame.data)["code"] for frame in frames.render_error(RuntimeError("secret"))] == [500]
    assert b"secret" not in frames.render_error(RuntimeError("secret"))[0].data
    assert json.loads(frames.render_error(DeadlineError())[0].data)["message"] == "回答超时,请重新提问"
