"""What is asked of /v1/responses, and what is refused by name."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.errors import InvalidRequestError
from gateway.openai.requests import reject_needs, reject_other_parts
from gateway.openai.responses.requests import MAX_ECHO, limit_echo, parse_response
from tests.support.gateway.client_habits import read_habits
from wire.blocks import Block
from wire.needs import needs_of
from wire.prompt import AnswerFormat, Message, Prompt, Text, Thought, Tool, ToolCall, ToolChoice

ANSWER = f"s0-{'a' * 32}"
RESPONSE: dict[str, Any] = {"model": "bing-creative", "input": "hi"}
ADD = {"type": "function", "name": "add"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "2"}
SYSTEM, USER = Message("system", (Text("be brief"),), string=True), Message("user", (Text("hi"),), string=True)


def test_a_text_alone_is_a_question() -> None:
    parsed = parse_response(RESPONSE)
    assert parsed.prompt == Prompt("responses", "bing-creative", (USER,))
    assert (parsed.text.question, parsed.stream, parsed.stored, parsed.background) == ("hi", False, True, False)
    assert (parsed.previous, parsed.echo) == (None, {})


def test_all_that_a_response_may_have_goes_into_its_prompt() -> None:
    schema = {"type": "object"}
    fields = {
        "instructions": "be brief",
        "tools": [ADD, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "add"},
        "parallel_tool_calls": False,
        "max_tool_calls": 3,
        "text": {"format": {"type": "json_schema", "name": "a", "schema": schema, "x": 1}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "auto"},
        "max_output_tokens": 5,
        "temperature": 0.5,
        "top_k": 3,
        "top_logprobs": 2,
        "include": ["reasoning.encrypted_content"],
        "truncation": "auto",
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "user": "u",
        "metadata": {"a": "b"},
        "store": True,
        "background": True,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "previous_response_id": "resp_1",
        "moderation": {"a": 1},
    }
    parsed = parse_response(RESPONSE | fields)
    assert parsed.prompt == Prompt(
        "responses",
        "bing-creative",
        (SYSTEM, USER),
        tools=(Tool("function", "add"), Tool("web_search", extra={"type": "web_search"})),
        tool_choice=ToolChoice("required", ("add",), named=True),
        parallel_tool_calls=False,
        format=AnswerFormat("schema", "a", schema=schema, extra={"x": 1}),
        options={
            "temperature": 0.5,
            "top_k": 3,
            "top_logprobs": 2,
            "service_tier": "flex",
            "prompt_cache_key": "k",
            "safety_identifier": "s",
            "truncation": "auto",
            "max_tokens": 5,
            "reasoning_effort": "high",
            "verbosity": "low",
            "logprobs": True,
        },
        extra={"moderation": {"a": 1}},
        session="k",
    )
    assert (parsed.previous, parsed.stream, parsed.stored, parsed.background) == ("resp_1", True, True, True)
    ours = ("top_k", "stream", "stream_options", "moderation")
    assert parsed.echo == {name: value for name, value in fields.items() if name not in ours}


def test_a_conversation_that_is_not_to_be_cut_says_nothing() -> None:
    parsed = parse_response(RESPONSE | {"truncation": "disabled"})
    assert (parsed.prompt.options, parsed.echo) == ({}, {"truncation": "disabled"})


@pytest.mark.parametrize(
    ("change", "logprobs"),
    [
        ({}, None),
        ({"top_logprobs": 0}, None),
        ({"top_logprobs": 1}, True),
        ({"include": ["message.output_text.logprobs"]}, True),
        ({"include": []}, None),
    ],
)
def test_log_probabilities_are_asked_for_in_two_ways(change: dict[str, Any], logprobs: bool | None) -> None:
    assert parse_response(RESPONSE | change).prompt.options.get("logprobs") == logprobs


def test_formats_are_text_or_json() -> None:
    formats = [None, {"type": "text"}, {"type": "json_object"}]
    parsed = [parse_response(RESPONSE | {"text": {"format": each}}).prompt.format for each in formats]
    assert parsed == [None, None, AnswerFormat("json")]


def test_instructions_stay_so_before_messages_of_the_system_alone() -> None:
    items = [{"role": "system", "content": "write a poem"}]
    text = parse_response(RESPONSE | {"input": items, "instructions": "be brief"}).text
    assert (text.instructions, text.question) == ("be brief", "write a poem")


@pytest.mark.parametrize("body", read_habits("codex").rounds)
def test_rounds_of_codex_are_understood(body: dict[str, Any]) -> None:
    prompt = parse_response(body).prompt
    kinds = [tool.kind for tool in prompt.tools]
    assert set(kinds) - {"function", "custom"} <= {"namespace", "tool_search", "web_search"}
    assert "function" in kinds
    results = [message.call_id for message in prompt.messages if message.role == "tool"]
    assert results == [call.id for message in prompt.messages for call in message.calls]
    assert not any(isinstance(part, Thought) for message in prompt.messages for part in message.parts)
    assert list(prompt.extra) == ["client_metadata"]


def test_items_may_refer_to_kept_answers() -> None:
    items = [{"id": f"fc_{ANSWER}_0"}, RESULT]
    parsed = parse_response(RESPONSE | {"input": items}, {ANSWER: [Block("tool_call", "{}", "c1", "add")]})
    assert parsed.prompt.messages[0] == Message("assistant", calls=(ToolCall("c1", "add", "{}"),))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"previous_response_id": "resp_1"}, False),
        ({"conversation": "a-name-of-16-chars"}, False),
        ({"conversation": {"id": "a-name-of-16-chars"}}, False),
        ({"metadata": {"conversation_id": "a-name-of-16-chars"}}, False),
        ({}, True),
    ],
)
def test_an_input_may_be_results_alone_where_something_is_before_it(change: dict[str, Any], named: bool) -> None:
    parsed = parse_response(RESPONSE | {"input": [RESULT]} | change, named=named)
    assert parsed.prompt.messages == (Message("tool", (Text("2"),), string=True, call_id="c1"),)
    with pytest.raises(InvalidRequestError, match="No tool call found"):
        parse_response(RESPONSE | {"input": [RESULT]})


CALLED = Message("assistant", calls=(ToolCall("c1", "add", "{}"),))


def test_results_follow_the_calls_of_the_response_before() -> None:
    items = [{"role": "user", "content": "hi"}, RESULT]
    parsed = parse_response(RESPONSE | {"input": items, "previous_response_id": "resp_1", "instructions": "be brief"})
    result = Message("tool", (Text("2"),), string=True, call_id="c1")
    assert parsed.continue_from([USER, CALLED]).prompt.messages == (SYSTEM, USER, CALLED, result, USER)


@pytest.mark.parametrize(
    ("earlier", "given", "words"),
    [
        ([USER, CALLED], "hi", "No tool output found for the calls: c1."),
        ([USER], [RESULT], "No tool call found for the output with call_id 'c1'."),
        ([USER, CALLED, Message("tool", call_id="c1")], [RESULT], "two results of the call 'c1'"),
    ],
)
def test_calls_before_an_input_have_their_results_in_it(earlier: list[Message], given: Any, words: str) -> None:
    parsed = parse_response(RESPONSE | {"input": given, "previous_response_id": "resp_1"})
    with pytest.raises(InvalidRequestError, match=words) as caught:
        parsed.continue_from(earlier)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, "input")


@pytest.mark.parametrize("given", ["c-with-16-letters", {"id": "c-with-16-letters"}])
def test_a_conversation_comes_back_as_an_object(given: Any) -> None:
    assert parse_response(RESPONSE | {"conversation": given}).echo == {"conversation": {"id": "c-with-16-letters"}}


def test_a_response_is_stored_unless_its_client_says_otherwise() -> None:
    stored = [parse_response(RESPONSE | {"store": store}) for store in (None, True, False)]
    assert [each.stored for each in stored] == [True, True, False]
    assert [each.echo for each in stored] == [{}, {"store": True}, {"store": False}]


DEEP: Any = {}
for _ in range(200):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": ""}, "model"),
        ({"background": True, "store": False}, "background"),
        ({"background": "yes"}, "background"),
        ({"store": 1}, "store"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_obfuscation": 1}}, "stream_options.include_obfuscation"),
        ({"text": "json"}, "text"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": 5}}}, "text.format.schema"),
        ({"text": {"verbosity": 1}}, "text.verbosity"),
        ({"text": {"x": DEEP}}, "text"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
        ({"reasoning": {"summary": {}}}, "reasoning.summary"),
        ({"include": "all"}, "include"),
        ({"include": [5]}, "include"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"truncation": "middle"}, "truncation"),
        ({"max_output_tokens": 0.5}, "max_output_tokens"),
        ({"max_tool_calls": "1"}, "max_tool_calls"),
        ({"instructions": []}, "instructions"),
        ({"metadata": DEEP}, "metadata"),
        ({"unknown": DEEP}, "unknown"),
        ({"input": [{"type": "teapot"}]}, "input[0].type"),
        ({"input": 5}, "input"),
        ({"input": [{"role": "user", "content": " "}]}, "input"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"previous_response_id": "resp_1", "conversation": "c"}, "previous_response_id"),
        ({"previous_response_id": 5}, "previous_response_id"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "messages"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_what_a_response_can_not_do_is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_response(RESPONSE | change)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"tools": [ADD]}, "tools"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"top_logprobs": 1}, "top_logprobs"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://e.org/a.png"}]}]},
            "input",
        ),
    ],
)
def test_what_a_model_can_not_do_is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    prompt = parse_response(RESPONSE | change).prompt
    with pytest.raises(InvalidRequestError) as caught:
        reject_needs(prompt, needs_of(prompt))
    assert (caught.value.fault.param, caught.value.fault.code) == (param, "unsupported_parameter")


def test_a_file_in_what_is_asked_is_refused_where_only_text_goes() -> None:
    items = [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]
    with pytest.raises(InvalidRequestError, match="A part of 'input' is not") as caught:
        reject_other_parts(parse_response(RESPONSE | {"input": items}).prompt)
    assert caught.value.fault.param == "input"


def test_the_largest_values_do_not_come_back_where_there_are_too_many() -> None:
    large, larger = "a" * (MAX_ECHO // 2), "b" * (MAX_ECHO // 2 + 1)
    parsed = parse_response(RESPONSE | {"instructions": larger, "user": large, "store": True})
    assert parsed.echo == {"user": large, "store": True}
    assert parsed.prompt.messages[0].text == larger


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=9000), max_size=6))
def test_what_comes_back_is_bounded_whatever_the_order(echo: dict[str, str]) -> None:
    left = limit_echo(echo)
    assert sum(len(msgspec.json.encode({name: value})) for name, value in left.items()) <= MAX_ECHO
    assert limit_echo(dict(reversed(echo.items()))) == left
    assert left.items() <= echo.items()
    gone = [len(msgspec.json.encode({name: echo[name]})) for name in echo.keys() - left.keys()]
    assert all(len(msgspec.json.encode({name: value})) <= min(gone) for name, value in left.items() if gone)
