from wire.prompt import AnswerFormat, Message, Prompt, Text, Tool, ToolCall
from worker.providers.anthropic.own_fields import keep_own_fields

CACHED = {"cache_control": {"type": "ephemeral"}}


def test_a_client_of_the_api_keeps_all_that_it_sent() -> None:
    prompt = Prompt("anthropic", "m", (Message("user", (Text("q", {"x": 1}),), extra={"y": 2}),), extra={"z": 3})
    assert keep_own_fields(prompt) is prompt


def test_of_other_clients_fields_only_those_that_the_api_knows_reach_it() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}]
    messages = (
        Message("user", (Text("q", {**CACHED, "x": 1}),), extra={"y": 2, **CACHED}),
        Message("assistant", calls=(ToolCall("c", "add", "{}", extra={"x": 1}),), extra={"thinking_blocks": blocks}),
    )
    tools = (
        Tool("function", "add", extra={"function": {**CACHED, "x": 1}}),
        Tool("custom", "run", extra={**CACHED, "x": 1}),
    )
    sent = keep_own_fields(
        Prompt("chat", "m", messages, tools, format=AnswerFormat("json", extra={"x": 1}), extra={"z": 3})
    )
    assert sent.messages == (
        Message("user", (Text("q", CACHED),), extra=CACHED),
        Message("assistant", calls=(ToolCall("c", "add", "{}"),), extra={"thinking_blocks": blocks}),
    )
    assert [tool.extra for tool in sent.tools] == [CACHED, CACHED]
    assert (sent.extra, sent.format) == ({}, AnswerFormat("json"))
