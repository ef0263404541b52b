"""Tools, and the choice among them."""

from typing import Any

import pytest

from gateway.anthropic.tools import parse_tool_choice, parse_tools
from gateway.openai.errors import InvalidRequestError
from wire.prompt import Tool, ToolChoice

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


def refusal(fields: dict[str, Any]) -> str | None:
    """The name of what is refused."""
    with pytest.raises(InvalidRequestError) as refused:
        parse_tool_choice(fields, parse_tools(fields))
    return refused.value.fault.param


def test_a_tool_of_the_client_is_a_function() -> None:
    tool = {"name": "add", "description": "adds", "input_schema": SCHEMA, "strict": True, "cache_control": {"a": 1}}
    expected = Tool("function", "add", "adds", SCHEMA, True, extra={"cache_control": {"a": 1}})
    assert parse_tools({"tools": [tool]}) == (expected,)
    assert parse_tools({"tools": [tool | {"type": "custom"}]}) == (expected,)


def test_a_tool_of_a_server_is_all_as_it_came() -> None:
    assert parse_tools({"tools": [SEARCH]}) == (Tool("web_search_20250305", "web_search", extra=SEARCH),)


@pytest.mark.parametrize(
    ("given", "choice", "parallel"),
    [
        (None, None, None),
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice("auto"), True),
        ({"type": "tool", "name": "add"}, ToolChoice("required", ("add",), named=True), None),
        ({"type": "tool", "name": "web_search"}, ToolChoice("required", ("web_search",), named=True), None),
    ],
)
def test_a_choice_has_a_mode_and_a_name(given: object, choice: ToolChoice | None, parallel: bool | None) -> None:
    fields = {"tools": [{"name": "add", "input_schema": SCHEMA}, SEARCH], "tool_choice": given}
    assert parse_tool_choice(fields, parse_tools(fields)) == (choice, parallel)


def test_without_tools_there_is_nothing_to_choose() -> None:
    assert parse_tool_choice({"tool_choice": {"type": "auto"}}, ()) == (None, None)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].name"),
        ({"tools": [{"type": 1}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "tools[0].type"),
        ({"tools": [{"name": "x" * 129}]}, "tools[0].name"),
        ({"tools": [{"name": "a", "input_schema": 1}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "a"}, {"name": "a"}]}, "tools"),
        ({"tools": [{"name": "a"}] * 1025}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": []}}, "tool_choice.type"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [{"name": "a"}], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [{"name": "a"}], "tool_choice": {"type": "tool", "name": "b"}}, "tool_choice.name"),
    ],
)
def test_what_can_not_be_read_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(fields) == param
