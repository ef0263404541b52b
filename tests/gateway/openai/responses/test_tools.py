"""Tools and choices in the flat forms of /v1/responses."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.responses.tools import parse_flat_choice, parse_flat_tools
from gateway.openai.tools import MAX_TOOLS
from wire.prompt import Tool, ToolChoice

SCHEMA = {"type": "object"}
ADD = {"type": "function", "name": "add", "description": "Adds", "parameters": SCHEMA, "strict": True}
RUN = {"type": "custom", "name": "run", "description": "Runs", "format": {"type": "text"}}
SEARCH = {"type": "web_search", "filters": {"a": 1}}
TOOLS = (
    Tool("function", "add", "Adds", SCHEMA, True),
    Tool("custom", "run", "Runs", format={"type": "text"}),
    Tool("web_search", extra=SEARCH),
)


def parse(tools: Any, choice: Any = None) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    fields = {"tools": tools, "tool_choice": choice}
    parsed = parse_flat_tools(fields)
    return parsed, parse_flat_choice(fields, parsed)


def test_tools_of_all_kinds_are_parsed() -> None:
    assert parse([ADD, RUN, SEARCH]) == (TOOLS, None)
    nothing: Any = (None, [])
    for none in nothing:
        assert parse(none, "auto") == ((), None)
    assert parse([ADD | {"defer_loading": True, "strict": None}])[0][0] == Tool(
        "function", "add", "Adds", SCHEMA, extra={"defer_loading": True}
    )


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "add"}, ToolChoice("required", ("add",), named=True)),
        ({"type": "custom", "name": "run"}, ToolChoice("required", ("run",), named=True, custom=True)),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"}, {"type": "mcp"}]},
            ToolChoice("auto", ("add",)),
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "run"}]},
            ToolChoice("required", ("run",)),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, ToolChoice("none")),
    ],
)
def test_choices_of_all_kinds_are_parsed(given: Any, choice: ToolChoice) -> None:
    assert parse([ADD, RUN, SEARCH], given) == (TOOLS, choice)


def test_a_choice_of_tools_that_the_client_does_not_run_says_nothing() -> None:
    assert parse([SEARCH], "auto") == (TOOLS[2:], None)


DEEP: Any = {}
for _ in range(200):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ({}, None, "tools"),
        ([5], None, "tools[0]"),
        ([{}], None, "tools[0].type"),
        ([{"type": "function", "function": {"name": "add"}}], None, "tools[0].name"),
        ([{"type": "function", "name": "a" * 129}], None, "tools[0].name"),
        ([ADD | {"description": 5}], None, "tools[0].description"),
        ([ADD | {"parameters": []}], None, "tools[0].parameters"),
        ([ADD | {"parameters": {"a": "b" * 70_000}}], None, "tools[0].parameters"),
        ([ADD | {"parameters": DEEP}], None, "tools[0].parameters"),
        ([ADD | {"strict": "yes"}], None, "tools[0].strict"),
        ([ADD | {"x": DEEP}], None, "tools[0].x"),
        ([RUN | {"format": "text"}], None, "tools[0].format"),
        ([SEARCH | {"filters": DEEP}], None, "tools[0]"),
        ([ADD, RUN | {"name": "add"}], None, "tools"),
        ([SEARCH] * (MAX_TOOLS + 1), None, "tools"),
        ([ADD], 5, "tool_choice"),
        ([ADD], "any", "tool_choice"),
        ([ADD], {"type": None}, "tool_choice"),
        ([ADD, SEARCH], {"type": "web_search"}, "tool_choice"),
        ([ADD], {"type": "function"}, "tool_choice.name"),
        ([ADD], {"type": "function", "name": "sub"}, "tool_choice"),
        ([ADD], {"type": "custom", "name": "add"}, "tool_choice"),
        ([], "required", "tool_choice"),
        ([SEARCH], "required", "tool_choice"),
        ([ADD], {"type": "allowed_tools", "mode": "none", "tools": []}, "tool_choice.mode"),
        ([ADD], {"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice.tools"),
        ([ADD], {"type": "allowed_tools", "mode": "auto", "tools": [5]}, "tool_choice.tools[0]"),
        ([ADD], {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom"}]}, "tool_choice.tools[0].name"),
        ([ADD], {"type": "allowed_tools", "mode": "required", "tools": [{"type": "mcp"}]}, "tool_choice.tools"),
    ],
)
def test_wrong_tools_and_choices_are_refused_by_their_names(tools: Any, choice: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(tools, choice)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)
