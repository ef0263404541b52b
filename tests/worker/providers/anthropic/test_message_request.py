"""Everything of a prompt that the API has a form for."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emulator.anthropic import message_checks, request_body
from emulator.anthropic.parameter_checks import MOST_CACHE_CONTROLS, cache_controls
from emulator.anthropic.thought_signatures import ThoughtSignatures
from emulator.pictures import draw_png
from wire.prompt import (
    AnswerFormat,
    Message,
    Opaque,
    Picture,
    Prompt,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
)
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.anthropic.message_request import MessageForm, free_text_tools, write_request
from worker.providers.anthropic.own_fields import keep_own_fields
from worker.providers.anthropic.request_options import OptionsForm

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD = Tool("function", "add", "Adds.", SCHEMA, strict=True)
NOW = Tool("function", "now")
RUN = Tool("custom", "run", "Runs.", format={"type": "grammar", "syntax": "regex", "definition": "[a-z]+"})
SEARCH = Tool(
    "web_search_20250305", "web_search", extra={"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
)
QUESTION = Message("user", (Text("q"),), string=True)


def body(*messages: Message, form: MessageForm | None = None, **more: Any) -> dict[str, Any]:
    prompt = Prompt(more.pop("dialect", "chat"), "m", messages or (QUESTION,), **more)
    sent: dict[str, Any] = json.loads(
        msgspec.json.encode(write_request(keep_own_fields(prompt), form or MessageForm()))
    )
    return sent


def test_a_question_is_a_model_a_limit_and_messages() -> None:
    system = Message("system", (Text("s"),), string=True)
    question = [{"role": "user", "content": "q"}]
    assert body(system, QUESTION) == {"model": "m", "max_tokens": 8192, "messages": question, "system": "s"}


def test_tools_have_the_schema_of_an_object() -> None:
    assert body(tools=(ADD, NOW, SEARCH))["tools"] == [
        {"name": "add", "description": "Adds.", "input_schema": SCHEMA},
        {"name": "now", "input_schema": {"type": "object"}},
    ]


def test_a_tool_that_gets_any_text_gets_an_object_with_it() -> None:
    prompt = Prompt("chat", "m", (QUESTION,), (ADD, RUN))
    assert free_text_tools(prompt) == {"run"}
    call = Message("assistant", calls=(ToolCall("c", "run", "ls", custom=True),))
    sent = body(QUESTION, call, tools=(RUN,))
    assert sent["tools"][0]["input_schema"]["required"] == ["input"]
    assert sent["tools"][0]["description"] == "Runs.\n\nThe input must match this grammar (regex):\n[a-z]+"
    assert sent["messages"][1]["content"][0]["input"] == {"input": "ls"}


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("required", ("add",), named=True), True, {"type": "tool", "name": "add"}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_which_tools_may_be_called(choice: ToolChoice | None, parallel: bool | None, sent: Any) -> None:
    assert body(tools=(ADD,), tool_choice=choice, parallel_tool_calls=parallel).get("tool_choice") == sent
    assert "tool_choice" not in body(tool_choice=choice, parallel_tool_calls=parallel)


def test_of_several_tools_only_those_that_may_be_called_go_out() -> None:
    sent = body(tools=(ADD, NOW, RUN), tool_choice=ToolChoice("required", ("add", "run")))
    assert [tool["name"] for tool in sent["tools"]] == ["add", "run"]
    assert sent["tool_choice"] == {"type": "any"}


def test_an_answer_may_have_the_form_of_a_schema() -> None:
    sent = body(format=AnswerFormat("schema", "a", None, SCHEMA, strict=True), options={"reasoning_effort": "low"})
    assert sent["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}


@pytest.mark.parametrize("answer", [AnswerFormat("json"), AnswerFormat("schema", "a")])
def test_json_without_a_schema_is_refused_by_name(answer: AnswerFormat) -> None:
    with pytest.raises(UpstreamError) as caught:
        body(format=answer)
    assert caught.value.reason == Reason.MODEL_UNABLE
    assert "JSON without a schema" in caught.value.words


def test_a_forced_tool_goes_before_thinking() -> None:
    choice = ToolChoice("required")
    assert "thinking" not in body(tools=(ADD,), tool_choice=choice, options={"reasoning_effort": "high"})


def test_amid_calls_without_a_thought_the_model_gets_no_budget() -> None:
    call = Message("assistant", calls=(ToolCall("c", "add", "{}"),))
    asked = (QUESTION, call, Message("tool", (Text("2"),), call_id="c"))
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert "thinking" not in body(*asked, options={"thinking": thinking})
    assert body(QUESTION, options={"thinking": thinking})["thinking"] == thinking


def test_all_of_the_systems_can_be_in_front() -> None:
    note = Message("system", (Text("s"),), string=True)
    sent = body(QUESTION, note, form=MessageForm(system="first"))
    assert (sent["system"], sent["messages"]) == ("s", [{"role": "user", "content": "q"}])


def test_a_clients_own_request_goes_as_it_came() -> None:
    sent = body(
        Message("system", (Text("s", {"cache_control": {"type": "ephemeral"}}),)),
        QUESTION,
        dialect="anthropic",
        tools=(Tool("function", "add", None, SCHEMA, strict=False, extra={"defer_loading": True}), SEARCH),
        tool_choice=ToolChoice("auto"),
        parallel_tool_calls=True,
        format=AnswerFormat("schema", "answer", None, SCHEMA, strict=True),
        options={"max_tokens": 9},
        extra={"context_management": {"edits": []}, "output_config": {"task_budget": 1}, "stream": 1, "model": "x"},
    )
    assert sent == {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "q"}],
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "add", "input_schema": SCHEMA, "strict": False, "defer_loading": True}, SEARCH.extra],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": False},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "task_budget": 1},
        "context_management": {"edits": []},
    }


def test_other_clients_extra_fields_stay_here() -> None:
    tool = msgspec.structs.replace(ADD, extra={"x": 1})
    sent = body(Message("user", (Text("q", {"x": 1}),), string=True), tools=(tool,), extra={"x": 1})
    assert "x" not in json.dumps(sent).replace("max", "").replace("text", "")


PNG = f"data:image/png;base64,{base64.b64encode(draw_png('x')).decode()}"
CACHED = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
TEXTS = st.builds(Text, st.sampled_from(["", " ", "a", "b \n"]), CACHED | st.just({"x": 1}))
PARTS = st.one_of(
    TEXTS,
    st.builds(Picture, st.sampled_from([PNG, "https://a/b.png"]), st.sampled_from(["", "low"])),
    st.builds(Refusal, st.sampled_from(["", "no"])),
    st.just(Opaque({"type": "file", "file": {"file_data": "data:text/plain;base64,QUJD"}})),
    st.builds(
        Thought, st.sampled_from(["", "hm"]), st.sampled_from([{}, {"signature": ""}, {"reasoning_details": []}])
    ),
)
CALLS = st.builds(
    ToolCall,
    st.sampled_from(["c", "d", "e.f", "oldc00001"]),
    st.sampled_from(["add", "run"]),
    st.sampled_from(["", "{}", "[", '{"a":1}', '"x"']),
    st.booleans(),
)
MESSAGES = st.one_of(
    st.builds(Message, st.just("user"), st.lists(PARTS, max_size=2).map(tuple)),
    st.builds(Message, st.sampled_from(["system", "developer"]), st.lists(TEXTS, max_size=2).map(tuple)),
    st.builds(
        Message,
        st.just("assistant"),
        st.lists(PARTS.filter(lambda part: not isinstance(part, Opaque)), max_size=2).map(tuple),
        calls=st.lists(CALLS, max_size=2).map(tuple),
    ),
    st.builds(
        Message,
        st.just("tool"),
        st.lists(TEXTS, max_size=2).map(tuple),
        string=st.booleans(),
        call_id=st.sampled_from(["", "c", "d", "e.f", "oldc00001"]),
        is_error=st.booleans(),
    ),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(1, 9000),
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "stop": st.lists(st.sampled_from(["", " ", "x"]), max_size=3),
        "reasoning_effort": st.sampled_from(["none", "low", "high", "xhigh"]),
        "service_tier": st.sampled_from(["auto", "flex"]),
        "seed": st.integers(),
    },
)
TOOLS = st.sampled_from([(), (ADD,), (ADD, NOW, RUN, SEARCH)])
CHOICES = st.sampled_from(
    [
        None,
        ToolChoice("auto"),
        ToolChoice("none"),
        ToolChoice("required", ("add",)),
        ToolChoice("required", ("add",), named=True),
    ]
)
FORMS = st.builds(
    MessageForm,
    st.sampled_from(["told", "first"]),
    st.booleans(),
    st.booleans(),
    st.builds(OptionsForm, st.sampled_from(["effort", "budget", "none"]), st.sampled_from([None, 4096])),
)


@given(
    st.lists(MESSAGES, max_size=6).map(lambda messages: (*messages, QUESTION)),
    OPTIONS,
    TOOLS,
    CHOICES,
    st.sampled_from([None, True, False]),
    FORMS,
)
def test_whatever_other_clients_ask_the_api_takes(
    messages: tuple[Message, ...],
    options: dict[str, Any],
    tools: tuple[Tool, ...],
    choice: ToolChoice | None,
    parallel: bool | None,
    form: MessageForm,
) -> None:
    prompt = Prompt("chat", "m", messages, tools, choice, parallel, options=options, extra={"x": 1})
    sent = msgspec.json.encode(write_request(keep_own_fields(prompt), form))
    # More are the client's own fault, and refused as such.
    assume(sum(1 for _ in cache_controls(json.loads(sent))) <= MOST_CACHE_CONTROLS)
    body = request_body.parse(sent, {"anthropic-version": "2023-06-01"})
    message_checks.check_thoughts(body.request.messages, body.request.thinking, ThoughtSignatures())
