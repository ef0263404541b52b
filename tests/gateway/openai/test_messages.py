"""Lists of messages become what was said, with all that their clients sent."""

import base64
from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import MAX_CALLS, MAX_MESSAGES, MAX_PARTS, MAX_PICTURES, link_results, parse_messages
from wire.prompt import Message, Opaque, Picture, Refusal, Text, ToolCall

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n...").decode()


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any, **rest: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **rest}


def call(id_: str, name: str = "add", arguments: str = "{}", **rest: Any) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}, **rest}


def result(id_: str, content: Any = "42", **rest: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content, **rest}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def parse_one(message: dict[str, Any]) -> Message:
    (parsed,) = parse_messages([message], "messages")
    return parsed


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_a_message_of_text_keeps_its_role_and_name(role: Any) -> None:
    assert parse_one({"role": role, "content": "a", "name": "Ann"}) == Message(
        role, (Text("a"),), string=True, name="Ann"
    )


def test_parts_stay_parts() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    file = {"type": "file", "file": {"file_id": "file-1"}}
    parts = [
        {"type": "text", "text": "a"},
        {"type": "input_text", "text": "b", "cache_control": {"type": "ephemeral"}},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low", "fps": 2}, "id": "x"},
        {"type": "image_url", "image_url": PNG},
        sound,
        file,
    ]
    assert parse_one(user(parts)) == Message(
        "user",
        (
            Text("a"),
            Text("b", {"cache_control": {"type": "ephemeral"}}),
            Refusal("no"),
            Picture("https://e.org/a.png", "low", {"id": "x", "image_url": {"fps": 2}}),
            Picture(PNG),
            Opaque(sound),
            Opaque(file),
        ),
    )


def test_calls_and_their_results_stay_what_they_are() -> None:
    custom = {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}}
    signed = call("c1", extra_content={"google": {"thought_signature": "s"}})
    signed["function"]["note"] = 1
    messages = parse_messages(
        [assistant(None, tool_calls=[signed, custom]), result("c1"), result("c2", [{"type": "text", "text": "x"}])], "m"
    )
    extra = {"extra_content": {"google": {"thought_signature": "s"}}, "function": {"note": 1}}
    assert link_results(messages, "m") == (
        Message(
            "assistant",
            calls=(ToolCall("c1", "add", "{}", extra=extra), ToolCall("c2", "run", "ls", custom=True)),
        ),
        Message("tool", (Text("42"),), string=True, call_id="c1"),
        Message("tool", (Text("x"),), call_id="c2"),
    )


def test_an_id_may_be_used_again_by_the_next_answer() -> None:
    result = {"role": "tool", "tool_call_id": "c1", "content": "42"}
    messages = [assistant(None, tool_calls=[call("c1")]), result] * 2
    assert len(link_results(parse_messages(messages, "m"), "m")) == 4


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([assistant(None, tool_calls=[call("c1"), call("c2"), call("c1")])], "m[0].tool_calls[2].id"),
        (
            [
                assistant(None, tool_calls=[call("c1"), call("c2")]),
                *({"role": "tool", "tool_call_id": id_, "content": "42"} for id_ in ("c1", "c2", "c1")),
            ],
            "m[3].tool_call_id",
        ),
    ],
)
def test_a_call_has_its_own_id_and_one_result(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        link_results(parse_messages(messages, "m"), "m")
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


def test_calls_of_the_old_form_get_the_same_ids_each_time() -> None:
    messages = [
        assistant(None, function_call={"name": "add", "arguments": "{}"}),
        {"role": "function", "name": "add", "content": "42"},
        assistant(None, function_call={"name": "add", "arguments": "[]"}),
        {"role": "function", "name": "add", "content": None},
    ]
    linked = link_results(parse_messages(messages, "m"), "m")
    assert linked == link_results(parse_messages(messages, "m"), "m")
    first, first_result, second, second_result = linked
    assert first_result == Message("tool", (Text("42"),), string=True, name="add", call_id=first.calls[0].id)
    assert second_result.call_id == second.calls[0].id != first.calls[0].id
    # Mistral's servers take no other ids.
    assert len(first.calls[0].id) == 9
    assert first.calls[0].id.isalnum()


def test_unknown_fields_stay_where_they_were() -> None:
    message = assistant("a", reasoning_content="hm", refusal=None, annotations=[{"type": "url_citation"}], audio=None)
    assert parse_one(message) == Message("assistant", (Text("a"),), string=True, extra={"reasoning_content": "hm"})
    assert parse_one(assistant(None, refusal="no")).parts == (Refusal("no"),)


NO_STRING = {"id": "a", "function": {"name": "f", "arguments": {}}}


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("hi", "messages"),
        (["hi"], "messages[0]"),
        ([user("hi")] * (MAX_MESSAGES + 1), "messages"),
        ([user(None)], "messages[0].content"),
        ([user(5)], "messages[0].content"),
        ([user([5])], "messages[0].content[0]"),
        ([user([{"type": "text"}])], "messages[0].content[0].text"),
        (
            [user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}])],
            "messages[0].content[1].image_url.url",
        ),
        ([user([{"type": "image_url"}])], "messages[0].content[0].image_url"),
        ([user([{"type": "image_url", "image_url": "file:///etc/passwd"}])], "messages[0].content[0].image_url"),
        (
            [user([{"type": "image_url", "image_url": {"url": PNG, "detail": 5}}])],
            "messages[0].content[0].image_url.detail",
        ),
        ([user([{"type": "text", "text": "a"}] * (MAX_PARTS + 1))], "messages[0].content"),
        ([user([{"type": "image_url", "image_url": PNG}] * (MAX_PICTURES + 1))], "messages"),
        ([user("a") | {"name": 5}], "messages[0].name"),
        ([user("a") | {"note": nested(200)}], "messages[0].note"),
        ([assistant(None, tool_calls={})], "messages[0].tool_calls"),
        ([assistant(None, tool_calls=[5])], "messages[0].tool_calls[0]"),
        ([assistant(None, tool_calls=[call("")])], "messages[0].tool_calls[0].id"),
        ([assistant(None, tool_calls=[call("a", type="mcp")])], "messages[0].tool_calls[0].type"),
        ([assistant(None, tool_calls=[{"id": "a"}])], "messages[0].tool_calls[0].function"),
        ([assistant(None, tool_calls=[call("a", "")])], "messages[0].tool_calls[0].function.name"),
        (
            [assistant(None, tool_calls=[NO_STRING])],
            "messages[0].tool_calls[0].function.arguments",
        ),
        ([assistant(None, tool_calls=[call("a")] * (MAX_CALLS + 1))], "messages[0].tool_calls"),
        ([assistant(None, tool_calls=[call("a")], function_call={})], "messages[0].function_call"),
        ([assistant(None, function_call={"name": "a"})], "messages[0].function_call.arguments"),
        ([{"role": "tool", "content": "a"}], "messages[0].tool_call_id"),
        ([result("a", None)], "messages[0].content"),
        ([user([{"type": ["x"]}])], "messages[0].content[0].type"),
        ([user([{"text": "x"}])], "messages[0].content[0].type"),
        ([user("hi"), {"role": "nobody", "content": "x"}], "messages[1].role"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role"),
        ([{"type": "function_call_output", "output": "x"}], "messages[0].type"),
    ],
)
def test_what_can_not_be_understood_is_named(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_messages(messages, "messages")
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([user("hi"), result("a")], "m[1].tool_call_id"),
        ([assistant(None, tool_calls=[call("a")]), result("b")], "m[1].tool_call_id"),
        ([assistant(None, tool_calls=[call("a")]), result("a"), user("x"), result("a")], "m[3].tool_call_id"),
        ([assistant(None, tool_calls=[call("a")]), user("hi")], "m[1]"),
        ([assistant(None, tool_calls=[call("a"), call("b")]), result("b")], "m[1]"),
        ([assistant(None, tool_calls=[call("a")])], "m[0]"),
        ([{"role": "function", "name": "add", "content": "x"}], "m[0].name"),
        (
            [assistant(None, function_call={"name": "sub", "arguments": ""}), {"role": "function", "name": "add"}],
            "m[1].name",
        ),
    ],
)
def test_a_result_without_a_call_or_a_call_without_its_result_is_refused(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        link_results(parse_messages(messages, "m"), "m")
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)
