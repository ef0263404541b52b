from typing import Any

import pytest

from emulator.server import Emulator
from tests.support.emulator.openai_client import OpenaiClient, OpenaiReply

pytestmark = pytest.mark.anyio

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CHOICE = {"type": "function", "function": {"name": "get_weather"}}


def kinds(reply: OpenaiReply) -> set[str]:
    return {name for choice in reply.choices for name, value in choice["delta"].items() if value}


async def test_a_plain_question_gets_plain_text_whatever_is_offered(asker: OpenaiClient) -> None:
    reply = await asker.ask("hi", tools=[WEATHER])
    assert (kinds(reply), reply.reasons) == ({"role", "content", "annotations"}, ["stop"])


async def test_a_directive_calls_a_tool_in_the_stream_and_in_the_whole(asker: OpenaiClient) -> None:
    question = 'hi !tool=get_weather {"city":"Paris"}'
    stream = await asker.ask(question, tools=[WEATHER])
    whole = await asker.ask(question, tools=[WEATHER], stream=False)
    entries = [entry for choice in stream.choices for entry in choice["delta"].get("tool_calls", ())]
    assert "".join(entry["function"]["arguments"] for entry in entries) == '{"city":"Paris"}'
    assert [entry["index"] for entry in entries] == [0] * len(entries)
    (call,) = whole.message["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert (whole.message["content"], whole.json["choices"][0]["finish_reason"]) == (None, "tool_calls")


@pytest.mark.parametrize(("model", "reason"), [("stand-in", "tool_calls"), ("stand-in-openai", "stop")])
async def test_a_named_tool_is_called(asker: OpenaiClient, model: str, reason: str) -> None:
    reply = await asker.ask("hi", model=model, tools=[WEATHER], tool_choice=CHOICE)
    assert ("tool_calls" in kinds(reply), reply.reasons) == (True, [reason])


async def test_old_functions_are_called_as_functions(asker: OpenaiClient) -> None:
    fields: Any = {"functions": [WEATHER["function"]], "function_call": {"name": "get_weather"}}
    whole = await asker.ask("hi", stream=False, **fields)
    stream = await asker.ask("hi", **fields)
    assert whole.message["function_call"] == {"name": "get_weather", "arguments": '{"city":"some city"}'}
    assert "tool_calls" not in whole.message
    assert stream.reasons == ["function_call"]


@pytest.mark.parametrize(
    ("question", "fields", "thinks"),
    [
        ("hi", {}, False),
        ("hi !think=2", {}, True),
        ("hi", {"reasoning_effort": "low"}, True),
        ("hi", {"reasoning_effort": "none"}, False),
        ("hi", {"model": "stand-in-deepseek"}, True),
        ("hi", {"model": "stand-in-deepseek", "reasoning_effort": "none"}, False),
    ],
)
async def test_thoughts_come_where_they_are_asked_for(
    asker: OpenaiClient, question: str, fields: Any, thinks: bool
) -> None:
    reply = await asker.ask(question, stream=False, **fields)
    assert bool(reply.message.get("reasoning_content")) == thinks
    assert (reply.json["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0) == thinks
    assert "You asked: **hi**" in reply.message["content"]


async def test_hidden_thoughts_are_counted(asker: OpenaiClient) -> None:
    reply = await asker.ask("hi", stream=False, model="stand-in-openai", reasoning_effort="high")
    assert reply.message.keys() == {"role", "content", "refusal", "annotations"}
    assert reply.json["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


async def test_the_messages_of_a_known_conversation_are_cached(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.ask("cats", stream=False)
    reply = await asker.ask("dogs", ("user", "cats"), ("assistant", "Meow."), stream=False)
    assert 0 < reply.json["usage"]["prompt_tokens_details"]["cached_tokens"] < reply.json["usage"]["prompt_tokens"]
