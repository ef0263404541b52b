"""The item kinds of the Responses API become messages."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.input_items import resolve_references, to_messages
from gateway.openai.requests import parse_response
from wire.messages import HistoryMessage

pytestmark = pytest.mark.anyio


ANSWER = f"s0-{'a' * 32}"
EMPTY = f"s0-{'b' * 32}"


async def read(answer: str) -> str | None:
    return {ANSWER: "one", EMPTY: ""}.get(answer)


def reference(name: Any) -> dict[str, Any]:
    return {"type": "item_reference", "id": name}


@pytest.mark.parametrize(
    "item",
    [
        {"id": f"msg_{ANSWER}"},
        {"type": None, "id": f"msg_{ANSWER}"},
        *[reference(name) for name in (f"msg_{ANSWER}", f"msg_{ANSWER}_0", f"resp_{ANSWER}", f"chatcmpl-{ANSWER}")],
    ],
)
async def test_a_reference_to_an_answer_is_its_message(item: Any) -> None:
    user = {"role": "user", "content": "hi"}
    assert await resolve_references([item, user], read) == [{"role": "assistant", "content": "one"}, user]


@pytest.mark.parametrize("name", [f"fc_{ANSWER}", f"fc_{ANSWER}_1", f"fc_{EMPTY}"])
async def test_a_reference_to_a_call_of_an_answer_is_words(name: str) -> None:
    items = await resolve_references([reference(name)], read)
    assert to_messages(items) == [{"role": "assistant", "content": "[Called function]"}]


async def test_a_reference_to_reasoning_is_left_out() -> None:
    assert to_messages(await resolve_references([reference("rs_1"), reference(f"rs_{ANSWER}_0")], read)) == []


@pytest.mark.parametrize("name", ["msg_gone", f"msg_{EMPTY}", "fc_1", f"ws_{ANSWER}", ANSWER, "chatcmpl-gone", ""])
async def test_a_reference_that_is_not_ours_is_an_error_with_its_name(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^Item with id '{name}' not found") as caught:
        await resolve_references([{"role": "user", "content": "hi"}, reference(name)], read)
    fault = caught.value.fault
    assert (fault.status, fault.type, fault.code, fault.param) == (
        400,
        "invalid_request_error",
        "item_not_found",
        "input[1].id",
    )


@pytest.mark.parametrize("name", [None, 5])
async def test_an_id_is_a_string(name: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await resolve_references([reference(name)], read)
    assert (caught.value.fault.code, caught.value.fault.param) == ("invalid_type", "input[0].id")


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
        ({"type": "function_call_output", "call_id": "c", "output": "2"}, "function", "2"),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "2"}]}, "function", "2"),
        ({"type": "local_shell_call_output", "output": {"code": 0}}, "function", '{"code":0}'),
        ({"type": "mcp_approval_response", "approve": True}, "function", "true"),
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
    prompt = parse_response({"model": "bing-balanced", "input": items}).text
    assert prompt.history == (HistoryMessage("user", "1 + 1?"), HistoryMessage("assistant", "[Called add: {}]"))
    assert prompt.question == "2"
