"""What counts as a whole and true answer."""

import json

import pytest

from bench.clients.verdict import COMPLETE, UNFINISHED, judge, judge_chunks

PIECES = ["one t=1700000000000000001 ", "two t=1700000000000000002 "]


def frame(answer: str, *, done: bool = False) -> bytes:
    data = {"answer": answer, "urls": [], "done": done, "reset": False, "token": "t"}
    return b"data: " + json.dumps({"code": 200, "message": "success", "data": data}).encode()


LAST = frame("".join(PIECES), done=True)


def test_deltas_that_add_up_to_the_last_frame_are_complete() -> None:
    assert judge(200, [*map(frame, PIECES), LAST], b"", 2) == COMPLETE


def test_pieces_that_were_merged_into_one_delta_are_complete() -> None:
    assert judge(200, [frame("".join(PIECES)), LAST], b"", 2) == COMPLETE


@pytest.mark.parametrize(
    "deltas", [PIECES[:1], PIECES[1:], PIECES[::-1], [*PIECES, PIECES[1]]], ids=["lost end", "lost", "order", "twice"]
)
def test_deltas_that_do_not_add_up_are_incorrect(deltas: list[str]) -> None:
    assert judge(200, [*map(frame, deltas), LAST], b"", 2) == "the deltas don't add up to the answer"


def test_an_answer_with_too_few_pieces_is_incorrect() -> None:
    assert judge(200, [frame(PIECES[0]), frame(PIECES[0], done=True)], b"", 2) == "1 pieces instead of 2"


def test_a_frame_after_the_last_one_is_incorrect() -> None:
    assert judge(200, [*map(frame, PIECES), LAST, LAST], b"", 2) == "more after the last frame"


@pytest.mark.parametrize(("status", "events"), [(0, []), (200, []), (200, [frame(PIECES[0])])])
def test_an_answer_without_a_last_frame_is_unfinished(status: int, events: list[bytes]) -> None:
    assert judge(status, events, b"", 2) == UNFINISHED


def test_an_error_frame_is_the_verdict() -> None:
    error = 'data: {"code": 500, "message": "未知错误"}'.encode()
    assert judge(200, [frame(PIECES[0]), error], b"", 2) == "500 未知错误"


def test_a_refusal_is_the_verdict() -> None:
    assert judge(503, [], '{"code": 503, "message": "服务繁忙"}'.encode(), 2) == "503 503 服务繁忙"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]"])
def test_something_else_is_no_answer(body: bytes) -> None:
    assert judge(502, [], body, 2) == "not the frames of an answer"
    assert judge(200, [b"data: " + body], b"", 2) == "not the frames of an answer"


def chunk(text: str | None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode()


CHUNKS = [*map(chunk, PIECES), chunk(None), b"data: [DONE]"]


def test_chunks_with_all_pieces_are_complete() -> None:
    assert judge_chunks(200, CHUNKS, b"", 2) == COMPLETE
    assert judge_chunks(200, [CHUNKS[0], b": ping\n\n", *CHUNKS[1:]], b"", 2) == COMPLETE


@pytest.mark.parametrize(
    ("status", "events", "verdict"),
    [
        (0, [], UNFINISHED),
        (200, CHUNKS[:2], UNFINISHED),
        (200, CHUNKS[1:], "1 pieces instead of 2"),
        (401, [], "401 no key"),
        (200, [b"data: {}", CHUNKS[-1]], "not the chunks of an answer"),
    ],
)
def test_other_chunks_are_not(status: int, events: list[bytes], verdict: str) -> None:
    assert judge_chunks(status, events, b"no key", 2) == verdict
