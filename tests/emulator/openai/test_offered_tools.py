from typing import Any

import pytest

from emulator.json_text import Json
from emulator.openai import offered_tools
from emulator.openai.error_response import BadRequestError
from emulator.openai.offered_tools import ToolRequest
from emulator.reply import OfferedTool

SCHEMA: Json = {"type": "object", "properties": {}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
CUSTOM = {"type": "custom", "custom": {"name": "c"}}
TOOLS = (OfferedTool("f", SCHEMA), OfferedTool("c", custom=True))
NAMED = {"type": "function", "function": {"name": "f"}}


def request(**fields: Any) -> ToolRequest:
    return offered_tools.parse({"tools": [FUNCTION, CUSTOM], **fields})


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolRequest(TOOLS)),
        ("none", ToolRequest(TOOLS, "none")),
        ("required", ToolRequest(TOOLS, "required")),
        (NAMED, ToolRequest(TOOLS, "required", ("f",), is_named=True)),
        ({"type": "custom", "custom": {"name": "c"}}, ToolRequest(TOOLS, "required", ("c",), is_named=True)),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
            ToolRequest(TOOLS, "auto", ("f",)),
        ),
    ],
)
def test_a_choice_is_read(choice: object, expected: ToolRequest) -> None:
    assert request(tool_choice=choice) == expected


def test_calls_may_be_ordered_one_by_one() -> None:
    assert request(parallel_tool_calls=False) == ToolRequest(TOOLS, parallel=False)


def test_old_functions_are_tools_one_at_a_time() -> None:
    functions = {"functions": [FUNCTION["function"]], "function_call": {"name": "f"}}
    assert offered_tools.parse(functions) == ToolRequest(TOOLS[:1], "required", ("f",), parallel=False, old=True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": "f"}, "tools"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [FUNCTION] * 129}, "tools"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "web"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]},
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": SCHEMA}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": {"type": "web"}}, "tool_choice.type"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
            "tool_choice.allowed_tools.tools",
        ),
        ({"tools": None, "tool_choice": "required"}, "tool_choice"),
        ({"tools": None, "parallel_tool_calls": True}, "parallel_tool_calls"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
    ],
)
def test_what_is_wrong_is_named(fields: Json, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        request(**fields)
    assert (caught.value.response.status, caught.value.response.param) == (400, param)
