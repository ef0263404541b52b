"""What is asked under /v1, and what is refused by name."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openai import requests, validation
from gateway.openai.errors import InvalidRequestError
from gateway.openai.responses.requests import parse_response
from wire.needs import needs_of
from wire.prompt import AnswerFormat, Message, Prompt, Text, Tool, ToolChoice

CHAT: dict[str, Any] = {"model": "bing-precise", "messages": [{"role": "user", "content": "hi"}]}


def test_a_completion_is_a_question() -> None:
    parsed = requests.parse_completion(CHAT | {"stream": True, "stream_options": {"include_usage": True}, "stop": "x"})
    assert (parsed.prompt.model, parsed.text.question, parsed.stream, parsed.usage, parsed.stops) == (
        "bing-precise",
        "hi",
        True,
        True,
        ("x",),
    )
    assert parsed.prompt.options == {"stop": ["x"]}


def test_what_changes_nothing_is_accepted() -> None:
    plain: dict[str, Any] = {
        "n": 1,
        "best_of": 1,
        "echo": False,
        "suffix": None,
        "tools": [],
        "tool_choice": "none",
        "functions": [],
        "parallel_tool_calls": False,
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "stop": [],
        "stream_options": None,
        "store": False,
        "metadata": {"a": "b"},
        "user": "u",
    }
    assert requests.parse_completion(CHAT | plain) == requests.parse_completion(CHAT)


def test_all_that_a_completion_may_have_goes_into_its_prompt() -> None:
    tool = {"type": "function", "function": {"name": "add"}}
    parsed = requests.parse_completion(
        CHAT
        | {
            "tools": [tool],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "response_format": {"type": "json_object"},
            "max_completion_tokens": 5,
            "logprobs": True,
            "prompt_cache_key": "k",
            "enable_thinking": True,
            "store": False,
            "user": "u",
        }
    )
    assert parsed.prompt == Prompt(
        "chat",
        "bing-precise",
        (Message("user", (Text("hi"),), string=True),),
        tools=(Tool("function", "add"),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        format=AnswerFormat("json"),
        options={"max_tokens": 5, "logprobs": True, "prompt_cache_key": "k"},
        extra={"enable_thinking": True},
        session="k",
    )
    assert (parsed.functions, parsed.stored) == (False, False)
    assert requests.parse_completion(CHAT | {"store": True}).stored
    assert requests.parse_completion(CHAT | {"functions": [{"name": "add"}]}).functions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("best_of", 2),
        ("echo", True),
        ("suffix", "x"),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy"}),
    ],
)
def test_what_can_not_be_done_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        requests.parse_completion(CHAT | {name: value})
    fault = caught.value.fault
    assert (fault.status, fault.param, fault.code) == (400, name, "unsupported_parameter")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "add"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://e.org/a.png"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_a_model_can_not_do_is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    prompt = requests.parse_completion(CHAT | change).prompt
    requests.reject_needs(prompt, frozenset())
    with pytest.raises(InvalidRequestError) as caught:
        requests.reject_needs(prompt, needs_of(prompt))
    fault = caught.value.fault
    assert (fault.status, fault.param, fault.code) == (400, param, "unsupported_parameter")


def test_a_file_in_what_is_asked_is_refused_where_only_text_goes() -> None:
    file = {"type": "file", "file": {"file_id": "f"}}
    before = [{"role": "user", "content": [file]}, {"role": "assistant", "content": "ho"}]
    asked = {"role": "user", "content": [{"type": "text", "text": "hi"}, file]}
    prompts = [
        requests.parse_completion(CHAT | {"messages": [*before, {"role": "user", "content": "hi"}]}).prompt,
        requests.parse_completion(CHAT | {"messages": [*before, asked]}).prompt,
    ]
    requests.reject_other_parts(prompts[0])
    with pytest.raises(InvalidRequestError) as caught:
        requests.reject_other_parts(prompts[1])
    assert caught.value.fault.param == "messages[2].content[1]"


@pytest.mark.parametrize(
    ("messages", "asks"),
    [
        ([{"role": "user", "content": "  "}], False),
        ([{"role": "assistant", "content": ""}], False),
        ([{"role": "user", "content": [{"type": "file", "file": {}}]}], True),
        (
            [
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": ""}}]},
                {"role": "tool", "tool_call_id": "c", "content": ""},
            ],
            True,
        ),
    ],
)
def test_a_question_is_text_another_part_or_a_result(messages: Any, asks: bool) -> None:
    with nullcontext() if asks else pytest.raises(InvalidRequestError, match="isn't empty"):
        requests.parse_completion(CHAT | {"messages": messages})


@pytest.mark.parametrize(
    ("value", "stops"), [(None, ()), ("a", ("a",)), (["a", "b"], ("a", "b")), ("", ()), (["", "a"], ("a",))]
)
def test_stop_sequences_come_alone_or_as_a_list(value: object, stops: tuple[str, ...]) -> None:
    assert requests.parse_completion(CHAT | {"stop": value}).stops == stops


@pytest.mark.parametrize("value", [5, [5], list("abcde"), "x" * 1025, {"a": 1}])
def test_other_stop_sequences_are_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        requests.parse_completion(CHAT | {"stop": value})
    assert caught.value.fault.param == "stop"


def test_a_model_must_have_a_name() -> None:
    for model in (None, "", 5):
        with pytest.raises(InvalidRequestError) as caught:
            requests.parse_completion(CHAT | {"model": model})
        assert (caught.value.fault.status, caught.value.fault.param) == (400, "model")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": " "}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"response_format": "png"}, "response_format"),
    ],
)
def test_pictures_that_can_not_be_made_are_refused(change: dict[str, Any], param: str) -> None:
    assert requests.parse_image({"prompt": "a cat", "model": "any", "size": "1024x1024", "n": 2}).limit == 2
    with pytest.raises(InvalidRequestError) as caught:
        requests.parse_image({"prompt": "a cat"} | change)
    assert caught.value.fault.param == param


NAMES = [
    "call_id",
    "encrypted_content",
    "input",
    "action",
    "effort",
    "format",
    "schema",
    "mode",
    "tools",
    "tool_calls",
    "function_call",
    "tool_call_id",
    "function",
    "image_url",
    "role",
    "content",
    "type",
    "text",
    "name",
    "id",
    "refusal",
    "output",
    "summary",
    "arguments",
    "url",
]
WORDS = [
    "function",
    "custom",
    "allowed_tools",
    "json_schema",
    "reasoning",
    "function_call",
    "custom_tool_call",
    "function_call_output",
    "web_search_call",
    "computer_call_output",
    "input_image",
    "bcg0.e30",
    "auto",
    "user",
    "assistant",
    "system",
    "tool",
    "text",
    "input_text",
    "message",
    "item_reference",
    "image_url",
    "\ud800",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(st.fixed_dictionaries({"role": st.sampled_from(WORDS), "content": VALUES}), max_size=3)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(WORDS)},
        optional={
            "id": VALUES,
            "role": st.sampled_from(WORDS),
            "content": VALUES,
            "call_id": st.sampled_from(["c1", "c2", ""]),
            "name": st.sampled_from(WORDS),
            "arguments": VALUES,
            "input": VALUES,
            "output": VALUES,
            "summary": VALUES,
            "encrypted_content": st.sampled_from(WORDS),
        },
    ),
    max_size=5,
)
FIELDS = [
    "functions",
    "function_call",
    "tool_choice",
    "reasoning",
    "unknown",
    "messages",
    "input",
    "instructions",
    "stream_options",
    "stop",
    "text",
    "metadata",
    "conversation",
    "n",
]
OTHERS = [
    *FIELDS,
    "stream",
    "store",
    "include",
    "background",
    "top_logprobs",
    "truncation",
    "previous_response_id",
    "prompt",
    "response_format",
    "tools",
    "max_tokens",
]


@pytest.mark.parametrize("parse", [requests.parse_completion, parse_response, requests.parse_image])
@given(
    st.dictionaries(st.sampled_from(OTHERS), VALUES, max_size=4),
    st.sampled_from(["bing-balanced", "", 5]),
    MESSAGES | ITEMS | VALUES,
)
def test_any_object_is_a_request_that_can_be_sent_on_or_an_invalid_one(
    parse: Callable[[Any], Any], others: dict[str, Any], model: object, asked: Any
) -> None:
    body = json.dumps({"model": model, "messages": asked, "input": asked, "prompt": asked} | others).encode()
    try:
        fields = validation.parse_fields(body)
        wanted, name = parse(fields), validation.read_conversation_id(fields, None, 1)
    except InvalidRequestError as error:
        msgspec.json.encode(error.fault.body)
        return
    msgspec.json.encode([wanted, name])
