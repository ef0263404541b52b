"""The tools of a request, and which of them may be called. Pure: InvalidRequestError for what can't be served."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, rest_of
from gateway.openai.tools import MAX_NAME, Schema, ToolName, read_schema
from wire.prompt import Tool, ToolChoice

# Programs with many servers of tools have hundreds.
MAX_TOOLS = 1024
_CLIENTS = ("custom", None)
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "any": "required",
    "tool": "required",
    "none": "none",
}


class ClientTool(msgspec.Struct, kw_only=True):
    """A tool that the client runs. Other fields, such as `cache_control`, go to a server of this API."""

    type: Literal["custom"] | None = None
    name: ToolName
    description: str | None = None
    input_schema: Schema = None
    strict: bool | None = None


class ServerTool(msgspec.Struct, kw_only=True):
    """A tool that a server of this API knows by its type, such as `web_search_20250305`. It goes there as it is."""

    type: Annotated[str, Meta(min_length=1, extra_json_schema={"not": {"enum": ["custom", "function"]}})]
    name: str


class MessageToolChoice(msgspec.Struct, kw_only=True):
    """Which tools may or must be called: any (`auto`), none, at least one (`any`), or the one of that `name`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


def parse_tools(fields: Fields) -> tuple[Tool, ...]:
    """Return the tools of a request."""
    given = read_field(fields, "tools", list) or []
    if len(given) > MAX_TOOLS:
        raise InvalidRequestError(f"'tools' may hold up to {MAX_TOOLS} tools.", "tools", "invalid_value")
    tools = tuple(_parse_tool(tool, f"tools[{number}]") for number, tool in enumerate(given))
    names: set[str] = set()
    for tool in tools:
        if tool.name in names:
            raise InvalidRequestError(f"'tools' has the tool '{tool.name}' twice.", "tools", "invalid_value")
        names |= {tool.name} if tool.name else set()
    return tools


def _parse_tool(given: object, param: str) -> Tool:
    fields = read_object(given, param)
    if fields.get("type") not in _CLIENTS:
        kind = read_filled(fields, "type", param)
        if kind == "function":
            message = f"'{param}.type' must not be 'function': a tool here is 'name', 'description' and 'input_schema'."
            raise InvalidRequestError(message, f"{param}.type", "unsupported_value")
        check_depth(fields, param)
        return Tool(kind, read_field(fields, "name", str, param) or "", extra=dict(fields))
    name = read_filled(fields, "name", param)
    if len(name) > MAX_NAME:
        message = f"'{param}.name' may have up to {MAX_NAME} characters."
        raise InvalidRequestError(message, f"{param}.name", "invalid_value")
    return Tool(
        "function",
        name,
        read_field(fields, "description", str, param),
        read_schema(fields, "input_schema", param),
        read_field(fields, "strict", bool, param),
        extra=rest_of(fields, ("type", "name", "description", "input_schema", "strict"), param),
    )


def parse_tool_choice(fields: Fields, tools: Sequence[Tool]) -> tuple[ToolChoice | None, bool | None]:
    """Return which tools may be called, and whether several at once; None where it isn't specified."""
    given: dict[str, Any] | None = read_field(fields, "tool_choice", dict)
    if given is None:
        return None, None
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in _MODES:
        message = f"'tool_choice.type' must be one of {', '.join(_MODES)}."
        raise InvalidRequestError(message, "tool_choice.type", "invalid_value")
    alone = read_field(given, "disable_parallel_tool_use", bool, "tool_choice")
    name = read_filled(given, "name", "tool_choice") if kind == "tool" else ""
    if not tools and _MODES[kind] == "required":
        raise InvalidRequestError("'tool_choice' needs tools to choose from.", "tool_choice", "invalid_value")
    if name and name not in {tool.name for tool in tools}:
        message = f"'tool_choice' names a tool that isn't there: '{name[:MAX_NAME]}'."
        raise InvalidRequestError(message, "tool_choice.name", "invalid_value")
    choice = ToolChoice(_MODES[kind], (name,) if name else (), named=bool(name))
    return (choice, None if alone is None else not alone) if tools else (None, None)
