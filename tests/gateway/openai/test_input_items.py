"""The item kinds of the Responses API become messages."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.input_items import resolve_references, to_messages
from gateway.openai.requests import parse_response
from wire.messages import HistoryMessage

pytestmark = pytest.mark.anyio


async def read(answer: str) -> str | None:
    return "one" if answer == "known" else None


@pytest.mark.parametrize("item", [{"type": "item_reference", "id": "msg_known"}, {"id": "msg_known"}])
async def test_a_reference_to_an_answer_is_its_message(item: Any) -> None:
    user = {"role": "user", "content": "hi"}
    assert await resolve_references([item, user], read) == [{"role": "assistant", "content": "one"}, user]


async def test_a_reference_to_reasoning_is_left_out() -> None:
    assert to_messages(await resolve_references([{"type": "item_reference", "id": "rs_1"}], read)) == []


@pytest.mark.parametrize("name", ["msg_gone", "fc_1", None, 5])
async def test_an_unknown_reference_is_named(name: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await resolve_references([{"type": "item_reference", "id": name}], read)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, "input[0].id")


@pytest.mark.parametrize(
    ("item", "role", "text"),
    [
        (
            {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a":1}'},
            "assistant",
            '[Called add: {"a":1}]',
        ),
        ({"type": "custom_tool_call", "name": "sh", "input": "ls"}, "assistant", "[Called sh: ls]"),
        ({"type": "web_search_call", "id": "ws_1"}, "assistant", "[Called web_search]"),
        ({"type": "computer_call", "action": {"type": "click"}}, "assistant", '[Called computer: {"type":"click"}]'),
        ({"type": "function_call_output", "call_id": "c", "output": "2"}, "tool", "2"),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "2"}]}, "tool", "2"),
        ({"type": "local_shell_call_output", "output": {"code": 0}}, "tool", '{"code":0}'),
        ({"type": "mcp_approval_response", "approve": True}, "tool", "true"),
    ],
)
def test_calls_and_outputs_are_words(item: Any, role: str, text: str) -> None:
    assert to_messages([item]) == [{"role": role, "content": text}]


def test_a_round_with_a_tool_is_understood() -> None:
    items = [
        {"role": "user", "content": "1 + 1?"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "2"},
    ]
    prompt = parse_response({"model": "bing-balanced", "input": items}).prompt
    assert prompt.history == (HistoryMessage("user", "1 + 1?"), HistoryMessage("assistant", "[Called add: {}]"))
    assert prompt.question == "2"
