"""Requests of /v1/messages, sound and broken."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.anthropic.errors import error_of
from gateway.anthropic.requests import parse_prompt, parse_request
from gateway.openai.errors import InvalidRequestError
from gateway.openai.validation import parse_fields
from tests.support.gateway.anthropic_client import ask
from tests.support.gateway.client_habits import read_habits
from wire.about import describe
from wire.messages import Prompted, decode_work, encode
from wire.prompt import Message, Prompt, Text, Thought

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(-1, 2),
    st.sampled_from(["", "a", "user", "assistant", "system", "c1", "auto", "any", "tool", "json_schema", "enabled"]),
)
KINDS = ["text", "image", "thinking", "redacted_thinking", "tool_use", "tool_result", "document", "base64", "url", ""]
NAMES = st.sampled_from(
    ["text", "source", "thinking", "signature", "data", "id", "name", "input", "tool_use_id", "content", "is_error"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.builds(
            lambda kind, rest: {"type": kind, **rest},
            st.sampled_from(KINDS),
            st.dictionaries(
                st.one_of(NAMES, st.sampled_from(["role", "schema", "format", "effort"])), inner, max_size=5
            ),
        ),
    ),
    max_leaves=12,
)
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, st.sampled_from(["a", ""])),
    st.builds(lambda id_: {"type": "tool_use", "id": id_, "name": "add", "input": {}}, st.sampled_from("ab")),
    st.builds(lambda id_: {"type": "tool_result", "tool_use_id": id_, "content": "4"}, st.sampled_from("ab")),
    VALUES,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant", "system"]),
            "content": st.one_of(st.just("hi"), st.lists(BLOCKS, max_size=4), VALUES),
        }
    ),
    max_size=5,
)
FIELDS = st.fixed_dictionaries(
    {"messages": st.one_of(MESSAGES, VALUES)},
    optional={
        name: st.one_of(usual, VALUES)
        for name, usual in {
            "model": st.just("m"),
            "max_tokens": st.just(9),
            "system": st.just("s"),
            "tools": st.lists(VALUES, max_size=2),
            "tool_choice": VALUES,
            "stop_sequences": st.just(["x"]),
            "temperature": st.just(1),
            "top_k": st.just(1),
            "thinking": VALUES,
            "output_config": VALUES,
            "output_format": VALUES,
            "metadata": VALUES,
            "stream": st.just(True),
            "context_management": VALUES,
        }.items()
    },
)


@given(FIELDS)
def test_any_body_is_a_prompt_or_an_error_in_shape(fields: dict[str, Any]) -> None:
    try:
        prompt = parse_request(parse_fields(json.dumps(fields).encode()), {}).prompt
    except InvalidRequestError as error:
        shown = error_of(error.fault, "r").error
        assert (shown.type, bool(shown.message)) == ("invalid_request_error", True)
        return
    # It reaches a worker as it is.
    work = Prompted("balanced", "", prompt=prompt)
    assert decode_work(encode(work)) == work
    assert describe(work).dialect == "anthropic"


def test_a_request_is_a_prompt_with_all_that_is_in_it() -> None:
    wanted = parse_request(
        ask("hi", system="s", stream=True, metadata={"user_id": "user_x_session_01234567"}, stop_sequences=["x"])
        | {"context_management": {"edits": []}, "service_tier": "auto", "output_config": {"other": 1}},
        {"anthropic-beta": "b"},
    )
    assert wanted.prompt == Prompt(
        "anthropic",
        "bing-balanced",
        (Message("system", (Text("s"),), string=True), Message("user", (Text("hi"),), string=True)),
        options={"max_tokens": 1024, "stop": ["x"]},
        extra={"context_management": {"edits": []}, "service_tier": "auto", "output_config": {"other": 1}},
        headers={"anthropic-beta": "b"},
        session="01234567",
    )
    assert (wanted.stream, wanted.stops, wanted.text.question) == (True, ("x",), "hi")


@pytest.mark.parametrize("field", ["max_tokens", "model", "messages"])
def test_what_a_request_has_to_have_is_named_when_it_is_missing(field: str) -> None:
    body = ask("hi")
    del body[field]
    with pytest.raises(InvalidRequestError, match=f"'{field}'") as refused:
        parse_request(body, {})
    assert refused.value.fault.param == field


@pytest.mark.parametrize("number", range(3))
def test_rounds_of_claude_code_are_understood(number: int) -> None:
    prompt = parse_request(read_habits("claude_code").rounds[number], {}).prompt
    assert prompt.session == "0197a7b0-0000-7000-8000-000000000000"
    assert list(prompt.extra) == ["context_management"]
    assert {"max_tokens", "thinking"} <= prompt.options.keys()
    assert {tool.kind for tool in prompt.tools} == {"function"}
    # Thinking of another server is left out.
    assert not any(isinstance(part, Thought) for message in prompt.messages for part in message.parts)


def test_what_is_counted_needs_no_limit() -> None:
    assert parse_prompt({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).options == {}


def test_a_thread_is_refused_by_name_before_anything_is_asked() -> None:
    with pytest.raises(InvalidRequestError, match="whole conversation") as refused:
        parse_request({**ask("hi"), "thread": {"type": "create"}}, {})
    assert refused.value.fault.param == "thread"
