import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.openai import request_body
from emulator.openai.error_response import BadRequestError
from emulator.openai.message_history import ROLES, CompletionMessage
from emulator.openai.request_body import CompletionBody
from emulator.sent_pictures import SentPicture

HELLO = [{"role": "user", "content": "hello"}]


def parsed(**changes: Any) -> CompletionBody:
    given = {"model": "stand-in", "messages": HELLO} | changes
    return request_body.parse(json.dumps({name: value for name, value in given.items() if value is not ...}).encode())


def test_what_is_not_known_is_passed_over() -> None:
    assert parsed(n=1, user="somebody", top_p=0.5, top_k=3) == CompletionBody(
        "stand-in", (CompletionMessage("user", "hello"),)
    )


def test_a_content_is_a_string_or_a_list_of_parts() -> None:
    parts = [
        {"type": "text", "text": "what is"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "text", "text": "this?"},
    ]
    body = parsed(messages=[{"role": "user", "content": parts}])
    assert body.messages[0].text == "what is\nthis?"
    assert body.pictures == (SentPicture("https://example.com/cat.png"),)


def test_an_assistants_message_may_be_empty() -> None:
    message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    assert parsed(messages=[message, *HELLO]).messages[0] == CompletionMessage("assistant", "")


@pytest.mark.parametrize(
    ("temperature", "tone"), [(None, None), (0, "Precise"), (0.5, "Balanced"), (0.9, "Balanced"), (1, "Creative")]
)
def test_a_temperature_sets_the_style(temperature: float | None, tone: str | None) -> None:
    assert parsed(temperature=temperature).tone == tone


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": ...}, None, None),
        ({"model": 7}, "invalid_type", "model"),
        ({"messages": ...}, "missing_required_parameter", "messages"),
        ({"messages": "hello"}, "invalid_type", "messages"),
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": ["hello"]}, "invalid_type", "messages[0]"),
        ({"messages": [*HELLO, {"content": "x"}]}, "missing_required_parameter", "messages[1].role"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "invalid_type", "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "invalid_type",
            "messages[0].content[0].text",
        ),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"stream_options": {"include_usage": True}}, None, "stream_options"),
        ({"stream": True, "stream_options": True}, "invalid_type", "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "invalid_type", "include_usage"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"temperature": True}, "invalid_type", "temperature"),
        ({"temperature": 2.1}, "invalid_value", "temperature"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], code: str | None, param: str | None) -> None:
    with pytest.raises(BadRequestError) as caught:
        parsed(**changes)
    response = caught.value.response
    assert (response.status, response.code, response.param) == (400, code, param)


def outcome(call: Callable[[], bool]) -> bool | int:
    """Return what a call returns, or the status of its refusal."""
    try:
        return call()
    except BadRequestError as error:
        return error.response.status


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries({}, optional={"role": st.sampled_from(ROLES) | ANYTHING, "content": ANYTHING})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.just("stand-in") | ANYTHING,
            "messages": st.lists(MESSAGE, max_size=3) | ANYTHING,
            "stream": ANYTHING,
            "stream_options": ANYTHING,
            "temperature": ANYTHING,
        },
    )
)
def test_whatever_is_sent_is_taken_or_refused_with_400(value: dict[str, Any]) -> None:
    assert outcome(lambda: bool(request_body.parse(json.dumps(value).encode()).messages)) in (True, 400)


@given(st.binary(max_size=20))
def test_bytes_that_are_no_object_are_no_body(data: bytes) -> None:
    assert outcome(lambda: isinstance(request_body.load(data), dict)) in (True, 400)
