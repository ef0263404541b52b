"""Everything that a client sent, where it sent it."""

from typing import Any

import msgspec
import pytest

from wire.prompt import (
    AnswerFormat,
    Message,
    Opaque,
    Part,
    Picture,
    Prompt,
    PromptRole,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    without_extra,
)
from worker.providers.openai.chat_request import RequestForm, earlier_fields, render_prompt

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD = Tool("function", "add", "Adds.", SCHEMA, strict=True)
RUN = Tool("custom", "run", format={"type": "text"})


def message_of(role: PromptRole, text: str, **more: Any) -> Message:
    return Message(role, (Text(text),), string=True, **more)


def body(*messages: Message, form: RequestForm | None = None, **more: Any) -> dict[str, Any]:
    prompt = Prompt(more.pop("dialect", "chat"), "m", messages or (message_of("user", "q"),), **more)
    return render_prompt(prompt, form or RequestForm())


def rendered(*messages: Message, **form: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = body(*messages, form=RequestForm(**form))["messages"]
    return sent


def test_a_text_stays_a_text_and_parts_stay_parts() -> None:
    parts = Message("user", (Text("a"), Text("b", {"cache_control": {"type": "ephemeral"}})))
    assert rendered(message_of("system", "s"), message_of("user", "q", name="Ann"), parts) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q", "name": "Ann"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (Picture("data:,"), {"type": "image_url", "image_url": {"url": "data:,"}}),
        (
            Picture("http://a/", "low", {"image_url": {"x": 1}, "y": 2}),
            {"type": "image_url", "image_url": {"url": "http://a/", "detail": "low", "x": 1}, "y": 2},
        ),
        (Refusal("no", {"z": 1}), {"type": "refusal", "refusal": "no", "z": 1}),
        (Opaque({"type": "file", "file": {"file_id": "f"}}), {"type": "file", "file": {"file_id": "f"}}),
    ],
)
def test_each_kind_of_part_goes_as_it_came(part: Part, sent: dict[str, Any]) -> None:
    assert rendered(Message("user", (Text("a"), part)))[0]["content"] == [{"type": "text", "text": "a"}, sent]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "input_file", "file_id": "f"}, {"type": "file", "file": {"file_id": "f"}}),
        ({"type": "input_audio", "input_audio": {"data": "d"}}, {"type": "input_audio", "input_audio": {"data": "d"}}),
    ],
)
def test_a_file_of_a_response_has_the_form_of_this_api(part: dict[str, Any], sent: dict[str, Any]) -> None:
    prompt = Prompt("responses", "m", (Message("user", (Opaque(part),)),))
    assert render_prompt(prompt, RequestForm())["messages"][0]["content"] == [sent]
    same = render_prompt(msgspec.structs.replace(prompt, dialect="chat"), RequestForm())
    assert same["messages"][0]["content"] == [part]


def test_where_the_server_can_not_see_a_note_takes_a_pictures_place() -> None:
    message = Message("user", (Picture("data:,"),))
    assert rendered(message, sees=False)[0]["content"] == [{"type": "text", "text": "[picture]"}]


def test_calls_and_results_belong_together() -> None:
    calls = (
        ToolCall("c1", "add", '{"a": 1}', extra={"extra_content": {"google": {"thought_signature": "s"}}}),
        ToolCall("c2", "run", "ls", custom=True),
    )
    assert rendered(
        Message("assistant", calls=calls, extra={"reasoning_content": "hm"}),
        message_of("tool", "2", call_id="c1"),
        Message("tool", (Text("no"),), call_id="c2", is_error=True),
    ) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "add", "arguments": '{"a": 1}'},
                    "extra_content": {"google": {"thought_signature": "s"}},
                },
                {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
            ],
            "reasoning_content": "hm",
        },
        {"role": "tool", "content": "2", "tool_call_id": "c1"},
        {"role": "tool", "content": [{"type": "text", "text": "Error: no"}], "tool_call_id": "c2"},
    ]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (Message("assistant"), None),
        (Message("assistant", string=True), ""),
        (Message("user"), ""),
        (Message("tool", call_id="c", is_error=True), [{"type": "text", "text": "Error:"}]),
    ],
)
def test_a_message_without_a_content_has_none(message: Message, content: Any) -> None:
    assert rendered(message)[0]["content"] == content


def test_a_result_of_an_unknown_call_is_a_users_message() -> None:
    assert rendered(message_of("tool", "2"))[0] == {"role": "user", "content": "2"}


@pytest.mark.parametrize(("developer", "role"), [(False, "system"), (True, "developer")])
def test_the_developer_is_the_system_unless_the_server_knows_the_role(developer: bool, role: str) -> None:
    assert rendered(message_of("developer", "d"), developer=developer)[0]["role"] == role


def test_where_the_account_wants_it_the_system_comes_first_in_one_message() -> None:
    messages = [
        message_of("system", "a"),
        message_of("user", "q"),
        message_of("developer", "b"),
        message_of("user", "r"),
    ]
    assert [(one["role"], one["content"]) for one in rendered(*messages, system="first")] == [
        ("system", "a\n\nb"),
        ("user", "q"),
        ("user", "r"),
    ]
    assert rendered(messages[1], messages[2], system="first")[0]["content"] == "b"


def test_tools_of_all_kinds_go_as_they_came() -> None:
    hosted = Tool("web_search", extra={"search_context_size": "low"})
    tools = (ADD, RUN, hosted, Tool("function", "now", extra={"cache_control": 1, "function": {"x": 2}}))
    assert body(tools=tools, parallel_tool_calls=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "tools": [
            {
                "type": "function",
                "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA, "strict": True},
            },
            {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "function", "function": {"name": "now", "x": 2}, "cache_control": 1},
        ],
        "parallel_tool_calls": False,
    }
    assert [tool["type"] for tool in body(tools=tools, ignored=("tools",))["tools"]] == [
        "function",
        "custom",
        "function",
    ]
    assert "tools" not in body(tools=(hosted,), tool_choice=ToolChoice("auto"), ignored=("tools",))


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("required", ("add",), named=True), {"type": "function", "function": {"name": "add"}}),
        (ToolChoice("required", ("run",), named=True, custom=True), {"type": "custom", "custom": {"name": "run"}}),
        (
            ToolChoice("auto", ("add", "run")),
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "function": {"name": "add"}},
                        {"type": "custom", "custom": {"name": "run"}},
                    ],
                },
            },
        ),
    ],
)
def test_the_choice_of_tools_goes_in_all_forms(choice: ToolChoice, sent: Any) -> None:
    assert body(tools=(ADD, RUN), tool_choice=choice)["tool_choice"] == sent


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (AnswerFormat("json"), {"type": "json_object"}),
        (
            AnswerFormat("schema", "sum", schema=SCHEMA, strict=True, extra={"x": 1}),
            {"type": "json_schema", "json_schema": {"name": "sum", "schema": SCHEMA, "strict": True}, "x": 1},
        ),
    ],
)
def test_the_form_of_the_answer_is_asked_for(answer: AnswerFormat, sent: dict[str, Any]) -> None:
    assert body(format=answer)["response_format"] == sent


def test_calls_have_short_ids_where_the_server_takes_no_others() -> None:
    calls = (ToolCall("call_00_1234567890", "add", "{}"), ToolCall("abcdefgh1", "add", "{}"))
    messages = (Message("assistant", calls=calls), *(message_of("tool", "1", call_id=call.id) for call in calls))
    first, *results = rendered(*messages, short_ids=True)
    ids = [call["id"] for call in first["tool_calls"]]
    assert [result["tool_call_id"] for result in results] == ids
    assert all(len(id_) == 9 and id_.isalnum() for id_ in ids)
    assert ids[1] == "abcdefgh1"
    assert ids[0] != ids[1]


def test_parameters_go_under_the_servers_names_but_for_ignored_ones_and_ours() -> None:
    options = {"max_tokens": 7, "seed": 1, "stop": ["x"], "logprobs": True, "user": "u", "store": True}
    extra = {"x_new": {"a": 1}, "stream_options": {}, "metadata": {}}
    form = RequestForm(max_tokens="max_completion_tokens")
    sent = body(form=form, options=options, extra=extra, ignored=("seed",))
    assert {name: value for name, value in sent.items() if name not in ("model", "messages")} == {
        "max_completion_tokens": 7,
        "stop": ["x"],
        "logprobs": True,
        "x_new": {"a": 1},
    }


def test_extra_fields_of_another_api_and_its_hosted_tools_stay_here() -> None:
    hosted = Tool("web_search_20250305", extra={"max_uses": 1})
    message = Message("user", (Text("a", {"cache_control": 1}),), extra={"x": 1})
    prompt = Prompt("anthropic", "m", (message,), tools=(hosted,), extra={"y": 1})
    assert render_prompt(without_extra(prompt), RequestForm()) == {
        "model": "m",
        "messages": [{"role": "user", "content": "a"}],
    }


@pytest.mark.parametrize("content", [7, ["x"], {"google": 7}, {"x": 1}])
def test_a_call_is_signed_whatever_its_client_put_there(content: Any) -> None:
    call = ToolCall("c", "add", "{}", extra={"extra_content": content})
    [message] = rendered(Message("assistant", calls=(call,)), signs_calls=True)
    signed = message["tool_calls"][0]["extra_content"]
    assert signed["google"] == {"thought_signature": "skip_thought_signature_validator"}


EARLIER = Message(
    "assistant",
    (Opaque({"type": "thinking", "thinking": "hm", "signature": "s"}), Text("yes")),
    calls=(ToolCall("c", "add", "{}", extra={"extra_content": {"a": 1}, "x": 2}),),
    extra={"reasoning_content": "hm", "y": 3},
)


def test_fields_of_earlier_answers_that_a_server_refuses_are_left_out() -> None:
    [message] = rendered(EARLIER, omitted={"reasoning_content", "x"})
    assert message.keys() == {"role", "content", "tool_calls", "y"}
    assert message["tool_calls"][0].keys() == {"id", "type", "function", "extra_content"}
    assert earlier_fields(Prompt("chat", "m", (EARLIER, Message("user", extra={"z": 1}), EARLIER))) == {
        "extra_content": [{"a": 1}] * 2,
        "x": [2, 2],
        "reasoning_content": ["hm", "hm"],
        "y": [3, 3],
    }


@pytest.mark.parametrize(("count", "known"), [(64, 64), (65, 0)])
def test_a_refusal_is_not_searched_for_fields_without_number(count: int, known: int) -> None:
    answers = [Message("assistant", extra={f"x{number}": 1}) for number in range(count)]
    long = Message("assistant", extra={"x" * 129: 1})
    assert len(earlier_fields(Prompt("chat", "m", (*answers, long)))) == known


def test_old_reasoning_can_be_left_out_as_a_whole() -> None:
    [message] = rendered(EARLIER, thinking=False)
    assert message == {
        "role": "assistant",
        "content": [{"type": "text", "text": "yes"}],
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}, "x": 2}],
        "y": 3,
    }


@pytest.mark.parametrize(("own", "field"), [("reasoning", "reasoning"), ("", "reasoning_content")])
def test_reasoning_under_several_names_goes_once_under_the_servers(own: str, field: str) -> None:
    message = message_of("assistant", "yes", extra={"reasoning": "hm", "reasoning_content": "hm"})
    [sent] = rendered(message, reasoning_field=own)
    assert sent.keys() - {"role", "content"} == {field}
    different = message_of("assistant", "yes", extra={"reasoning": "hm", "reasoning_content": "so"})
    assert rendered(different)[0].keys() >= {"reasoning", "reasoning_content"}


def test_thoughts_go_beside_the_content_to_a_server_that_has_a_field_for_them() -> None:
    answer = Message("assistant", (Thought("a", {"reasoning_details": [1]}), Thought("b"), Text("t")))
    fields = {"role": "assistant", "content": [{"type": "text", "text": "t"}], "reasoning_details": [1]}
    assert rendered(answer, reasoning_field="reasoning") == [{**fields, "reasoning": "ab"}]
    assert rendered(answer) == [fields]
    assert rendered(answer, reasoning_field="reasoning", thinking=False) == [
        {"role": "assistant", "content": [{"type": "text", "text": "t"}]}
    ]


def test_the_results_of_calls_follow_them_although_an_answer_came_in_parts() -> None:
    first = Message("assistant", (Text("a"),), calls=(ToolCall("1", "f", "{}"),), extra={"x": [1]})
    second = Message("assistant", (Text("b"),), calls=(ToolCall("2", "g", "{}"),), extra={"x": [2]})
    results = [Message("tool", (Text("r"),), string=True, call_id=id_) for id_ in "12"]
    sent = rendered(first, second, *results)
    assert [message["role"] for message in sent] == ["assistant", "tool", "tool"]
    assert [call["id"] for call in sent[0]["tool_calls"]] == ["1", "2"]
    assert [part["text"] for part in sent[0]["content"]] == ["a", "b"]
    assert sent[0]["x"] == [1, 2]


def test_a_picture_that_a_tool_returned_is_a_users_for_clients_of_other_apis() -> None:
    called = Message("assistant", (), calls=(ToolCall("1", "read", "{}"),))
    returned = Message("tool", (Picture("data:image/png;base64,aaaa"),), call_id="1")
    roles = {
        dialect: [message["role"] for message in body(called, returned, dialect=dialect)["messages"]]
        for dialect in ("chat", "anthropic")
    }
    assert roles == {"chat": ["assistant", "tool"], "anthropic": ["assistant", "tool", "user"]}


def test_many_refusals_of_one_answer_are_rendered_in_the_time_of_their_number() -> None:
    refusals = tuple(Refusal(str(number)) for number in range(100_000))
    # With the square of it this would take minutes, and meet the limit that each test has.
    (answer,) = rendered(Message("assistant", refusals))
    assert len(answer["content"]) == len(refusals)


def test_many_parts_of_one_answer_are_rendered_in_the_time_of_their_size() -> None:
    # With the square of it this would take hours, and meet the limit that each test has.
    call = ToolCall("c", "f", "{}")
    part = Message("assistant", calls=(call,), extra={"reasoning_content": "x" * 1000})
    [message] = rendered(*[part] * 50_000)
    assert len(message["reasoning_content"]) == 50_000_000
    thoughts = (Thought("", {"signature": "x" * 100}),) * 300_000
    [message] = rendered(Message("assistant", thoughts))
    assert len(message["signature"]) == 30_000_000
