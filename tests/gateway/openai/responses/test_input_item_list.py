"""The input of a response as items of the API, a page at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answering import thought_fields
from gateway.openai.errors import InvalidRequestError
from gateway.openai.responses.input_item_list import PageQuery, build_items, list_items, parse_query
from wire.prompt import Message, Opaque, Picture, Refusal, Text, Thought, ToolCall

ANSWER = "s0-1"
TEXTS = [Message("user", (Text(str(number)),)) for number in range(7)]


def test_each_kind_of_message_is_the_item_that_it_was() -> None:
    messages = [
        Message("developer", (Text("be brief"),), string=True),
        Message("user", (Text("what?"), Picture("data:x", "low"), Opaque({"type": "input_file", "file_id": "f"}))),
        Message(
            "assistant",
            (Thought("hm", {"signature": "s"}), Text("I look."), Refusal("no")),
            calls=(ToolCall("c1", "f", "{}"), ToolCall("c2", "g", "free", custom=True)),
        ),
        Message("tool", (Text("4"),), string=True, call_id="c1"),
        Message("tool", (Picture("data:y"),), call_id="c2"),
    ]
    assert build_items(ANSWER, messages) == [
        item(0, "message", role="developer", content=[{"type": "input_text", "text": "be brief"}], status="completed"),
        item(
            1,
            "message",
            role="user",
            status="completed",
            content=[
                {"type": "input_text", "text": "what?"},
                {"type": "input_image", "image_url": "data:x", "detail": "low"},
                {"type": "input_file", "file_id": "f"},
            ],
        ),
        item(
            2,
            "reasoning",
            "rs",
            summary=[{"type": "summary_text", "text": "hm"}],
            encrypted_content=thought_fields.pack({"signature": "s"}),
        ),
        item(
            3,
            "message",
            role="assistant",
            status="completed",
            content=[
                {"type": "output_text", "text": "I look.", "annotations": []},
                {"type": "refusal", "refusal": "no"},
            ],
        ),
        item(4, "function_call", "fc", call_id="c1", name="f", arguments="{}", status="completed"),
        item(5, "custom_tool_call", "ctc", call_id="c2", name="g", input="free", status="completed"),
        item(6, "function_call_output", "fco", call_id="c1", output="4", status="completed"),
        item(
            7,
            "custom_tool_call_output",
            "ctco",
            call_id="c2",
            output=[{"type": "input_image", "image_url": "data:y", "detail": "auto"}],
            status="completed",
        ),
    ]


def item(number: int, kind: str, prefix: str = "msg", **fields: Any) -> dict[str, Any]:
    return {"id": f"{prefix}_{ANSWER}_in{number}", "type": kind, **fields}


@given(st.integers(1, 9), st.booleans())
def test_all_pages_together_are_all_items_in_either_direction(limit: int, newest_first: bool) -> None:
    names = [entry["id"] for entry in build_items(ANSWER, TEXTS)]
    if newest_first:
        names.reverse()
    forward, page = [], list_items(ANSWER, TEXTS, PageQuery(limit, newest_first))
    while True:
        forward += [entry["id"] for entry in page.data]
        if not page.has_more:
            break
        page = list_items(ANSWER, TEXTS, PageQuery(limit, newest_first, after=page.last_id or ""))
    assert forward == names
    backward, first = names[-1:], names[-1]
    while True:
        page = list_items(ANSWER, TEXTS, PageQuery(limit, newest_first, before=first))
        backward = [entry["id"] for entry in page.data] + backward
        if not page.has_more:
            break
        first = page.first_id or ""
    assert backward == names


def test_between_two_items_are_those_between_them() -> None:
    names = [entry["id"] for entry in build_items(ANSWER, TEXTS)]
    page = list_items(ANSWER, TEXTS, PageQuery(2, newest_first=False, after=names[1], before=names[5]))
    assert ([entry["id"] for entry in page.data], page.has_more) == (names[2:4], True)
    page = list_items(ANSWER, TEXTS, PageQuery(9, newest_first=False, after=names[1], before=names[5]))
    assert ([entry["id"] for entry in page.data], page.has_more) == (names[2:5], False)
    page = list_items(ANSWER, TEXTS, PageQuery(9, newest_first=False, after=names[6]))
    assert (page.data, page.first_id, page.last_id, page.has_more) == ([], None, None, False)


@pytest.mark.parametrize(
    ("params", "param"), [({"limit": "0"}, "limit"), ({"limit": "x"}, "limit"), ({"order": "up"}, "order")]
)
def test_what_can_not_be_asked_for_is_refused_by_its_name(params: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_query(params)
    assert caught.value.fault.param == param


def test_an_item_that_is_not_there_is_refused() -> None:
    for query in (PageQuery(after="msg_x"), PageQuery(before="msg_x")):
        with pytest.raises(InvalidRequestError):
            list_items(ANSWER, TEXTS, query)


def test_the_newest_come_first_unless_asked_otherwise() -> None:
    assert parse_query({}) == PageQuery(20, newest_first=True, after="", before="")
    assert parse_query({"order": "asc", "limit": "100", "after": "a", "before": "b"}) == PageQuery(
        100, newest_first=False, after="a", before="b"
    )
