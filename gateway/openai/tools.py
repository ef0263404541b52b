"""The tools of a request, and which of them may be called. Pure: InvalidRequestError for what can't be served."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, rest_of
from gateway.openai.schema_marks import any_of, list_of
from wire.prompt import Tool, ToolChoice

MAX_TOOLS = 128
MAX_NAME = 128
# Bytes of a JSON Schema.
MAX_SCHEMA = 64 * 1024
MODES: Mapping[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "required": "required"}
CALLED = ("function", "custom")

ToolName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Schema = Annotated[dict[str, Any] | None, Meta(description=f"A JSON Schema of at most {MAX_SCHEMA // 1024} kB.")]


class FunctionFields(msgspec.Struct, kw_only=True):
    """A function."""

    name: ToolName
    description: str | None = None
    parameters: Schema = None
    strict: bool | None = None


class CustomFields(msgspec.Struct, kw_only=True):
    """A tool that gets any text."""

    name: ToolName
    description: str | None = None
    format: Annotated[dict[str, Any] | None, Meta(description="The grammar of that text.")] = None


class FunctionTool(msgspec.Struct, kw_only=True):
    """A function that may be called."""

    type: Literal["function"]
    function: FunctionFields


class CustomTool(msgspec.Struct, kw_only=True):
    """A custom tool that may be called."""

    type: Literal["custom"]
    custom: CustomFields


class HostedTool(msgspec.Struct, kw_only=True):
    """A tool that the model's server runs itself. It goes to the server as it is."""

    type: Annotated[str, Meta(min_length=1, extra_json_schema={"not": {"enum": list(CALLED)}})]


class ToolReference(msgspec.Struct, kw_only=True):
    """A tool by its name."""

    name: str


class FunctionChoice(msgspec.Struct, kw_only=True):
    """A function that must be called."""

    type: Literal["function"]
    function: ToolReference


class CustomChoice(msgspec.Struct, kw_only=True):
    """A custom tool that must be called."""

    type: Literal["custom"]
    custom: ToolReference


class AllowedTools(msgspec.Struct, kw_only=True):
    """The tools that may be called, or one of which must be."""

    mode: Literal["auto", "required"]
    tools: Annotated[Any, any_of(list_of(FunctionChoice, CustomChoice, minItems=1, maxItems=MAX_TOOLS))]


class AllowedChoice(msgspec.Struct, kw_only=True):
    """Only some of the tools may be called."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


# What a request has in `tools`, and what in `tool_choice` beside words.
TOOLS: Sequence[type[msgspec.Struct]] = (FunctionTool, CustomTool, HostedTool)
CHOICES: Sequence[type[msgspec.Struct]] = (FunctionChoice, CustomChoice, AllowedChoice)


def parse_tools(fields: Fields) -> tuple[Tool, ...]:
    """Return the tools of a request, from `tools` or from `functions`, the old form."""
    given, old = read_field(fields, "tools", list) or [], read_field(fields, "functions", list) or []
    if given and old:
        raise InvalidRequestError("'functions' can't be used together with 'tools'.", "functions", "invalid_value")
    param = "functions" if old else "tools"
    if len(given or old) > MAX_TOOLS:
        raise InvalidRequestError(f"'{param}' may hold up to {MAX_TOOLS} tools.", param, "invalid_value")
    tools = [_parse_tool(tool, f"tools[{number}]") for number, tool in enumerate(given)]
    tools += [_parse_function(function, f"functions[{number}]", {}) for number, function in enumerate(old)]
    check_names(tools, param)
    return tuple(tools)


def _parse_tool(tool: object, param: str) -> Tool:
    fields = read_object(tool, param)
    kind = read_filled(fields, "type", param)
    if kind == "function":
        return _parse_function(fields.get("function"), f"{param}.function", rest_of(fields, ("type", kind), param))
    if kind == "custom":
        return _parse_custom(fields.get("custom"), f"{param}.custom", rest_of(fields, ("type", kind), param))
    check_depth(fields, param)
    return Tool(kind, extra=dict(fields))


def _parse_function(function: object, param: str, extra: dict[str, Any]) -> Tool:
    fields = read_object(function, param)
    inner = rest_of(fields, ("name", "description", "parameters", "strict"), param)
    return Tool(
        "function",
        read_name(fields, param),
        read_field(fields, "description", str, param),
        read_schema(fields, "parameters", param),
        read_field(fields, "strict", bool, param),
        extra=extra | ({"function": inner} if inner else {}),
    )


def _parse_custom(custom: object, param: str, extra: dict[str, Any]) -> Tool:
    fields = read_object(custom, param)
    inner = rest_of(fields, ("name", "description", "format"), param)
    return Tool(
        "custom",
        read_name(fields, param),
        read_field(fields, "description", str, param),
        format=read_schema(fields, "format", param),
        extra=extra | ({"custom": inner} if inner else {}),
    )


def read_name(fields: Fields, param: str) -> str:
    """Return the name of a tool. InvalidRequestError."""
    name = read_filled(fields, "name", param)
    if len(name) > MAX_NAME:
        message = f"'{param}.name' may have up to {MAX_NAME} characters."
        raise InvalidRequestError(message, f"{param}.name", "invalid_value")
    return name


def read_schema(fields: Fields, name: str, parent: str) -> dict[str, Any] | None:
    """Return a JSON Schema, or a grammar; None if it is missing. What is in it isn't checked."""
    schema: dict[str, Any] | None = read_field(fields, name, dict, parent)
    if schema is not None:
        param = f"{parent}.{name}"
        check_depth(schema, param)
        if len(msgspec.json.encode(schema)) > MAX_SCHEMA:
            message = f"'{param}' may have up to {MAX_SCHEMA // 1024} kB."
            raise InvalidRequestError(message, param, "invalid_value")
    return schema


def check_names(tools: Sequence[Tool], param: str) -> None:
    """Raise InvalidRequestError for two tools with one name."""
    names = [tool.name for tool in tools if tool.name]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidRequestError(f"'{param}' has the tool '{name}' twice.", param, "invalid_value")


def parse_tool_choice(fields: Fields, tools: Sequence[Tool]) -> ToolChoice | None:
    """Return which tools may be called, from `tool_choice` or from `function_call`, the old form."""
    param = "function_call" if fields.get("functions") else "tool_choice"
    given = fields.get(param)
    if given is None:
        return None
    choice = _parse_old_choice(given) if param == "function_call" else _parse_choice(given)
    if choice.names or choice.mode == "required":
        check_choice(choice, tools, param)
    return choice if tools else None


def check_choice(choice: ToolChoice, tools: Sequence[Tool], param: str) -> None:
    """Raise InvalidRequestError for a choice of a tool that isn't there."""
    if not tools:
        raise InvalidRequestError(f"'{param}' needs tools to choose from.", param, "invalid_value")
    kinds = {tool.name: tool.kind for tool in tools}
    for name in choice.names:
        fits = name in kinds and (not choice.named or kinds[name] == ("custom" if choice.custom else "function"))
        if not fits:
            raise InvalidRequestError(f"'{param}' names a tool that isn't there: '{name}'.", param, "invalid_value")


def _parse_old_choice(given: object) -> ToolChoice:
    if isinstance(given, str) and given in ("auto", "none"):
        return ToolChoice(MODES[given])
    if isinstance(given, dict):
        return ToolChoice("required", (read_filled(given, "name", "function_call"),), named=True)
    message = "'function_call' must be 'none', 'auto' or an object with the function's name."
    raise InvalidRequestError(message, "function_call", "invalid_value")


def _parse_choice(given: object) -> ToolChoice:
    if isinstance(given, str) and given in MODES:
        return ToolChoice(MODES[given])
    kind = given.get("type") if isinstance(given, dict) else None
    if isinstance(given, dict) and kind in CALLED:
        return ToolChoice("required", (_reference(given, kind, "tool_choice"),), named=True, custom=kind == "custom")
    if isinstance(given, dict) and kind == "allowed_tools":
        return _parse_allowed(read_object(given.get(kind), "tool_choice.allowed_tools"))
    message = "'tool_choice' must be 'none', 'auto', 'required' or an object of type function, custom or allowed_tools."
    raise InvalidRequestError(message, "tool_choice", "invalid_value")


def _parse_allowed(fields: Fields) -> ToolChoice:
    param = "tool_choice.allowed_tools"
    mode, tools = fields.get("mode"), fields.get("tools")
    if mode not in ("auto", "required"):
        raise InvalidRequestError(f"'{param}.mode' must be 'auto' or 'required'.", f"{param}.mode", "invalid_value")
    if not isinstance(tools, list) or not 0 < len(tools) <= MAX_TOOLS:
        message = f"'{param}.tools' must be a list of tools that isn't empty."
        raise InvalidRequestError(message, f"{param}.tools", "invalid_value")
    names = []
    for number, tool in enumerate(tools):
        where = f"{param}.tools[{number}]"
        kind = read_object(tool, where).get("type")
        if kind not in CALLED:
            message = f"'{where}.type' must be 'function' or 'custom'."
            raise InvalidRequestError(message, f"{where}.type", "invalid_value")
        names.append(_reference(tool, kind, where))
    return ToolChoice(MODES[mode], tuple(names))


def _reference(tool: Fields, kind: str, param: str) -> str:
    return read_filled(read_object(tool.get(kind), f"{param}.{kind}"), "name", f"{param}.{kind}")
