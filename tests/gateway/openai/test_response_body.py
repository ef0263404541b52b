"""The body of a response: its bytes, and the fields of the request that come back in it."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.response_body import ResponseBody
from gateway.openai.service import SubmittedQuestion
from wire.about import describe
from wire.messages import Chat, Final, FinishReason, Usage

ANSWER = "s0-" + "a" * 32
QUESTION = cast(
    SubmittedQuestion, SimpleNamespace(answer=ANSWER, accepted=1704164645, about=describe(Chat("balanced", "hello")))
)
EMPTY = (
    f'{{"id":"resp_{ANSWER}","object":"response","created_at":1704164645,"status":"queued","error":null,'
    '"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"bing-balanced","output":[],'
    '"parallel_tool_calls":false,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":true,'
    '"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,'
    '"truncation":"disabled","usage":null,"metadata":{}}'
)


def whole(final: Final, *, stopped: bool = False) -> dict[str, Any]:
    answer = AnswerAssembler()
    answer.add(final)
    body: dict[str, Any] = msgspec.to_builtins(ResponseBody(QUESTION).build_whole(answer, answer.text, stopped=stopped))
    return body


def test_a_response_without_text_has_all_fields_in_the_order_of_the_api() -> None:
    assert msgspec.json.encode(ResponseBody(QUESTION).build_empty("queued")).decode() == EMPTY


def test_fields_of_the_request_come_back_and_others_are_not_there() -> None:
    echo = {"store": False, "user": "u", "conversation": {"id": "c", "more": 1}, "metadata": {"a": 1}}
    body = msgspec.to_builtins(ResponseBody(QUESTION, echo).build_empty("in_progress"))
    assert {name: body[name] for name in echo} == echo
    assert list(body)[-2:] == ["user", "conversation"]


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("stop", None)]
)
def test_an_answer_that_was_cut_upstream_is_incomplete(finish: FinishReason, reason: str | None) -> None:
    body = whole(Final("text", finish=finish))
    assert body["status"] == ("incomplete" if reason else "completed")
    assert body["incomplete_details"] == ({"reason": reason} if reason else None)
    assert body["output"][0]["status"] == body["status"]


def test_a_stopped_answer_is_cancelled_and_counted_tokens_are_not_marked() -> None:
    body = whole(Final("text", usage=Usage(3, 4)), stopped=True)
    assert (body["status"], body["output"][0]["status"]) == ("cancelled", "incomplete")
    assert body["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
