"""An answer is right only if its deltas are its text, and it has one end."""

import json

import pytest

from bench.scenario.answer import AnswerReader
from bench.scenario.errors import RefusedError, WrongEndError


def frame(answer: str, *, done: bool | None = False, token: str = "t") -> str:
    data = {"answer": answer, "urls": []} | ({} if done is None else {"done": done}) | {"reset": False, "token": token}
    return json.dumps({"code": 200, "message": "success", "data": data})


def read(*frames: str) -> AnswerReader:
    reading = AnswerReader()
    for frame in frames:
        reading.take(frame)
    return reading


def test_deltas_that_are_the_answer_are_right() -> None:
    reading = read(frame("a"), frame("b"), frame("ab", done=True))
    assert reading.check_ended()["answer"] == "ab"
    assert reading.deltas == 2
    assert reading.token == "t"


def test_one_frame_without_a_stream_is_right() -> None:
    assert read(frame("ab", done=None)).check_ended()["answer"] == "ab"


@pytest.mark.parametrize("deltas", [["a"], ["a", "b", "b"], ["b", "a"], []])
def test_deltas_that_lack_or_repeat_something_are_wrong(deltas: list[str]) -> None:
    with pytest.raises(WrongEndError, match="are not the answer"):
        read(*map(frame, deltas), frame("ab", done=True))


def test_a_frame_after_the_last_one_is_wrong() -> None:
    with pytest.raises(WrongEndError, match="more after"):
        read(frame("a"), frame("a", done=True), frame("a", done=True))


def test_a_stream_without_an_end_is_wrong() -> None:
    with pytest.raises(WrongEndError, match="without a last frame"):
        read(frame("a")).check_ended()


@pytest.mark.parametrize("wrong", ["", "{", frame("", done=True), json.dumps({"code": 200, "data": ["a"]})])
def test_what_is_no_frame_of_an_answer_is_wrong(wrong: str) -> None:
    with pytest.raises(WrongEndError):
        read(wrong)


def test_a_refusal_in_a_frame_is_a_refusal() -> None:
    with pytest.raises(RefusedError):
        read(json.dumps({"code": 503, "message": "服务繁忙,请稍后再试"}))
