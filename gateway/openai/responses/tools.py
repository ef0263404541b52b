"""The tools of a request of /v1/responses, whose fields are flat, and which of them may be called. Pure.

InvalidRequestError for what can't be served. See https://platform.openai.com/docs/guides/function-calling.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, rest_of
from gateway.openai.schema_marks import any_of, list_of
from gateway.openai.tools import (
    CALLED,
    MAX_TOOLS,
    MODES,
    CustomFields,
    FunctionFields,
    HostedTool,
    ToolName,
    check_choice,
    check_names,
    read_name,
    read_schema,
)
from wire.prompt import Tool, ToolChoice

_ALLOWED = "allowed_tools"
_FUNCTION = ("type", "name", "description", "parameters", "strict")
_CUSTOM = ("type", "name", "description", "format")


class FlatFunction(FunctionFields, kw_only=True):
    """A function that may be called."""

    type: Literal["function"]


class FlatCustomTool(CustomFields, kw_only=True):
    """A custom tool that may be called."""

    type: Literal["custom"]


class FlatChoice(msgspec.Struct, kw_only=True):
    """A function or custom tool that must be called."""

    type: Literal["function", "custom"]
    name: ToolName


class FlatAllowedTool(msgspec.Struct, kw_only=True):
    """A tool that may be called; those that a server runs itself are left out."""

    type: Annotated[str, Meta(min_length=1)]
    name: str | None = None


class FlatAllowedChoice(msgspec.Struct, kw_only=True):
    """Only some of the tools may be called, or one of them must be."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[Any, any_of(list_of(FlatAllowedTool, minItems=1, maxItems=MAX_TOOLS))]


# What a request has in `tools`, and what in `tool_choice` beside words.
FLAT_TOOLS: Sequence[type[msgspec.Struct]] = (FlatFunction, FlatCustomTool, HostedTool)
FLAT_CHOICES: Sequence[type[msgspec.Struct]] = (FlatChoice, FlatAllowedChoice)
# What is in those.
FLAT_PARTS: Sequence[type[msgspec.Struct]] = (FlatAllowedTool,)


def parse_flat_tools(fields: Fields) -> tuple[Tool, ...]:
    """Return the tools of a request."""
    given = read_field(fields, "tools", list) or []
    if len(given) > MAX_TOOLS:
        raise InvalidRequestError(f"'tools' may hold up to {MAX_TOOLS} tools.", "tools", "invalid_value")
    tools = tuple(_parse_tool(tool, f"tools[{number}]") for number, tool in enumerate(given))
    check_names(tools, "tools")
    return tools


def _parse_tool(tool: object, param: str) -> Tool:
    fields = read_object(tool, param)
    kind = read_filled(fields, "type", param)
    if kind not in CALLED:
        check_depth(fields, param)
        return Tool(kind, extra=dict(fields))
    function = kind == "function"
    return Tool(
        kind,
        read_name(fields, param),
        read_field(fields, "description", str, param),
        read_schema(fields, "parameters", param) if function else None,
        read_field(fields, "strict", bool, param) if function else None,
        None if function else read_schema(fields, "format", param),
        rest_of(fields, _FUNCTION if function else _CUSTOM, param),
    )


def parse_flat_choice(fields: Fields, tools: Sequence[Tool]) -> ToolChoice | None:
    """Return which tools may be called. One that a server would have to run itself can't be forced."""
    given = fields.get("tool_choice")
    if given is None:
        return None
    choice = _parse_choice(given)
    called = [tool for tool in tools if tool.kind in CALLED]
    if choice.names or choice.mode == "required":
        check_choice(choice, called, "tool_choice")
    return choice if called else None


def _parse_choice(given: object) -> ToolChoice:
    if isinstance(given, str) and given in MODES:
        return ToolChoice(MODES[given])
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(kind, str):
        message = "'tool_choice' must be 'none', 'auto', 'required' or an object with a type."
        raise InvalidRequestError(message, "tool_choice", "invalid_value")
    if kind in CALLED:
        name = read_filled(given, "name", "tool_choice")
        return ToolChoice("required", (name,), named=True, custom=kind == "custom")
    if kind == _ALLOWED:
        return _parse_allowed(given)
    message = f"'tool_choice' names a tool that no server here can be made to run: '{kind[:64]}'."
    raise InvalidRequestError(message, "tool_choice", "unsupported_parameter")


def _parse_allowed(fields: Fields) -> ToolChoice:
    mode, tools = fields.get("mode"), fields.get("tools")
    if mode not in ("auto", "required"):
        message = "'tool_choice.mode' must be 'auto' or 'required'."
        raise InvalidRequestError(message, "tool_choice.mode", "invalid_value")
    if not isinstance(tools, list) or not 0 < len(tools) <= MAX_TOOLS:
        message = "'tool_choice.tools' must be a list of tools that isn't empty."
        raise InvalidRequestError(message, "tool_choice.tools", "invalid_value")
    names = []
    for number, tool in enumerate(tools):
        where = f"tool_choice.tools[{number}]"
        if read_filled(read_object(tool, where), "type", where) in CALLED:
            names.append(read_filled(tool, "name", where))
    if names:
        return ToolChoice(MODES[mode], tuple(names))
    if mode == "auto":
        return ToolChoice("none")
    message = "'tool_choice.tools' has no tool that could be called."
    raise InvalidRequestError(message, "tool_choice.tools", "unsupported_parameter")
