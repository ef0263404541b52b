"""The tools of a request in all forms of clients."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.tools import MAX_TOOLS, parse_tool_choice, parse_tools
from wire.prompt import Tool, ToolChoice

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD: dict[str, Any] = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": SCHEMA}}
RUN: dict[str, Any] = {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}}
SEARCH: dict[str, Any] = {"type": "web_search", "filters": {"a": 1}}
TOOLS = (Tool("function", "add", "Adds", SCHEMA), Tool("custom", "run", format={"type": "text"}))


def parse(**fields: Any) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    tools = parse_tools(fields)
    return tools, parse_tool_choice(fields, tools)


def test_tools_keep_all_of_their_fields() -> None:
    signed = {"type": "function", "cache_control": {}, "function": ADD["function"] | {"strict": True, "x": 1}}
    tools, _ = parse(tools=[signed, RUN, SEARCH])
    extra = {"cache_control": {}, "function": {"x": 1}}
    assert tools == (
        Tool("function", "add", "Adds", SCHEMA, True, extra=extra),
        TOOLS[1],
        Tool("web_search", extra=SEARCH),
    )


def test_functions_of_the_old_form_are_tools() -> None:
    tools, choice = parse(functions=[ADD["function"]], function_call={"name": "add"})
    assert (tools, choice) == (TOOLS[:1], ToolChoice("required", ("add",), named=True))
    assert parse(functions=[ADD["function"]], function_call="none")[1] == ToolChoice("none")


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (None, None),
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "add"}}, ToolChoice("required", ("add",), named=True)),
        ({"type": "custom", "custom": {"name": "run"}}, ToolChoice("required", ("run",), named=True, custom=True)),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "add"}}]},
            },
            ToolChoice("auto", ("add",)),
        ),
    ],
)
def test_a_choice_of_any_kind_is_understood(given: Any, choice: ToolChoice | None) -> None:
    assert parse(tools=[ADD, RUN], tool_choice=given) == (TOOLS, choice)


@pytest.mark.parametrize("given", ["none", "auto"])
def test_a_choice_that_needs_no_tools_may_come_without(given: str) -> None:
    assert parse(tool_choice=given) == ((), None)
    assert parse(tools=[], tool_choice=given) == ((), None)


def named(name: str, kind: str = "function") -> dict[str, Any]:
    return {"type": kind, kind: {"name": name}}


def allowed(*tools: Any, mode: Any = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a" * 129}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "description": 1}}]},
            "tools[0].function.description",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"x": "y" * 65536}}}]},
            "tools[0].function.parameters",
        ),
        ({"tools": [{"type": "function", "function": {"name": "a", "strict": "yes"}}]}, "tools[0].function.strict"),
        ({"tools": [{"type": "custom", "custom": {"name": ""}}]}, "tools[0].custom.name"),
        ({"tools": [{"type": "custom", "custom": {"name": "a", "format": "text"}}]}, "tools[0].custom.format"),
        ({"tools": [ADD, ADD]}, "tools"),
        ({"tools": [SEARCH] * (MAX_TOOLS + 1)}, "tools"),
        ({"tools": [ADD], "functions": [ADD["function"]]}, "functions"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [ADD["function"]] * 2}, "functions"),
        ({"functions": [ADD["function"]], "function_call": "required"}, "function_call"),
        ({"functions": [ADD["function"]], "function_call": {"name": "sub"}}, "function_call"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": named("add")}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": 5}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "mcp"}}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": ["function"]}}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tools": [ADD], "tool_choice": named("sub")}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": named("add", "custom")}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": allowed()}, "tool_choice.allowed_tools.tools"),
        ({"tools": [ADD], "tool_choice": allowed(named("add"), mode="none")}, "tool_choice.allowed_tools.mode"),
        ({"tools": [ADD], "tool_choice": allowed(SEARCH)}, "tool_choice.allowed_tools.tools[0].type"),
        ({"tools": [ADD], "tool_choice": allowed(named("sub"))}, "tool_choice"),
    ],
)
def test_tools_that_can_not_be_served_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(**fields)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)
