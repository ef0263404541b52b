from typing import Any

import pytest

from emulator.json_text import Json
from emulator.openai import message_list
from emulator.openai.error_response import BadRequestError
from emulator.openai.message_history import CompletionMessage
from tests.emulator.test_sent_pictures import PNG, data_url

HELLO = {"role": "user", "content": "hello"}


def call(id_: str = "c1", **fields: Any) -> Json:
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}, **fields}


def calling(*calls: Json) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(id_: str = "c1") -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": "done"}


def user(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


def read(*messages: Json) -> tuple[CompletionMessage, ...]:
    return message_list.messages({"messages": list(messages)})


def test_calls_and_results_are_read() -> None:
    custom = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}
    _, message, first, second = read(HELLO, calling(call(), custom), result("c2"), result("c1"))
    assert [(one.id, one.name, one.arguments) for one in message.calls] == [("c1", "f", "{}"), ("c2", "g", "x")]
    assert [(one.call_id, one.text, one.is_result) for one in (first, second)] == [
        ("c2", "done", True),
        ("c1", "done", True),
    ]


def test_old_calls_and_results_are_read() -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    _, message, outcome = read(HELLO, old, {"role": "function", "name": "f", "content": "done"})
    assert (message.calls[0].name, outcome.is_result) == ("f", True)


def test_parts_of_every_kind_are_read() -> None:
    (message,) = read(
        user(
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": data_url(PNG), "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
        )
    )
    assert (message.text, message.pictures[0].size) == ("look", len(PNG))
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    assert read(refused)[0].text == "no"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([result()], "messages.[0].role"),
        ([HELLO, calling(call()), result("other")], "messages.[2].role"),
        ([HELLO, calling(call())], "messages.[1].role"),
        ([HELLO, calling(call()), HELLO], "messages.[1].role"),
        ([HELLO, calling(call(), call("c2")), result(), HELLO], "messages.[1].role"),
        ([calling(call()), result(), result()], "messages.[2].role"),
        ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ([{"role": "function", "content": "x"}], "messages[0].name"),
        ([calling(call(id=7))], "messages[0].tool_calls[0].id"),
        ([calling(call(type="web"))], "messages[0].tool_calls[0].type"),
        ([calling(call(function={"name": "f", "arguments": {}}))], "messages[0].tool_calls[0].function.arguments"),
        ([{**calling(), "tool_calls": "x"}], "messages[0].tool_calls"),
        ([{**HELLO, "name": 7}], "messages[0].name"),
        ([user({"type": "refusal", "refusal": "no"})], "messages[0].content[0].type"),
        ([user({"type": "image_url", "image_url": {"url": "data:,"}})], "messages[0].content[0].image_url.url"),
        ([user({"type": "image_url", "image_url": "data:,"})], "messages[0].content[0].image_url"),
        (
            [user({"type": "image_url", "image_url": {"url": data_url(PNG), "detail": "all"}})],
            "messages[0].content[0].image_url.detail",
        ),
        ([user({"type": "input_audio", "input_audio": {"data": "AAAA"}})], "messages[0].content[0].input_audio.format"),
        ([user({"type": "file", "file": {}})], "messages[0].content[0].file.file_id"),
        (
            [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": data_url(PNG)}}]}],
            "messages[0].content[0].type",
        ),
    ],
)
def test_what_is_wrong_is_named(messages: list[Json], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read(*messages)
    assert (caught.value.response.status, caught.value.response.param) == (400, param)
