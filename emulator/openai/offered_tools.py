"""The tools of a request and which of them may be called, checked as a compatible server does."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from emulator.json_text import Json
from emulator.openai import error_response, strict_schemas
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.reply import CallMode, OfferedTool

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_TOOLS = 128
MODES = ("none", "auto", "required")


@dataclass(frozen=True)
class ToolRequest:
    """The tools that are offered. names: the only ones that may be called, all if empty. old: offered as functions.

    is_named: the one tool that has to be called was named.
    """

    tools: tuple[OfferedTool, ...] = ()
    mode: CallMode = "auto"
    names: tuple[str, ...] = ()
    parallel: bool = True
    old: bool = False
    is_named: bool = False


def parse(value: Json) -> ToolRequest:
    """Return what a body offers. Raises BadRequestError for the first thing that is wrong."""
    if value.get("functions") is not None:
        return _old(value)
    tools = _list(value, "tools", _tool)
    if not tools:
        for name in ("tool_choice", "parallel_tool_calls"):
            # Without tools a choice of none or auto changes nothing; clients send it.
            if value.get(name) not in (None, "none", "auto"):
                message = f"Invalid value for '{name}': it is only allowed when 'tools' are specified."
                raise BadRequestError(ErrorResponse(400, message, param=name))
        return ToolRequest()
    parallel = value.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        raise BadRequestError(error_response.wrong_type("parallel_tool_calls", "a boolean"))
    mode, names = _choice(value.get("tool_choice"))
    _check_names(names, tools, "tool_choice")
    is_named = isinstance(value.get("tool_choice"), dict) and value["tool_choice"].get("type") != "allowed_tools"
    return ToolRequest(tools, mode, names, parallel is not False, is_named=is_named)


def _old(value: Json) -> ToolRequest:
    tools = _list(value, "functions", _function)
    choice = value.get("function_call")
    if choice in (None, "auto", "none"):
        return ToolRequest(tools, choice or "auto", parallel=False, old=True)
    if not isinstance(choice, dict) or not isinstance(choice.get("name"), str):
        raise BadRequestError(error_response.wrong_type("function_call", "'auto', 'none' or an object with a name"))
    _check_names((choice["name"],), tools, "function_call")
    return ToolRequest(tools, "required", (choice["name"],), parallel=False, old=True)


def _list(value: Json, name: str, read: Callable[[object, str], OfferedTool]) -> tuple[OfferedTool, ...]:
    sent = value.get(name)
    if sent is None:
        return ()
    if not isinstance(sent, list):
        raise BadRequestError(error_response.wrong_type(name, "an array"))
    if len(sent) > MOST_TOOLS:
        message = f"Invalid '{name}': array too long. Expected an array with maximum length {MOST_TOOLS}."
        raise BadRequestError(ErrorResponse(400, message, code="array_above_max_length", param=name))
    return tuple(read(entry, f"{name}[{number}]") for number, entry in enumerate(sent))


def _tool(value: object, where: str) -> OfferedTool:
    tool = _object(value, where)
    kind = tool.get("type")
    if kind is None:
        raise BadRequestError(error_response.missing(f"{where}.type"))
    if kind == "function":
        return _function(tool.get("function"), f"{where}.function")
    if kind != "custom":
        raise BadRequestError(error_response.wrong_value(f"{where}.type", "'function' or 'custom'"))
    body = _object(tool.get("custom"), f"{where}.custom")
    return OfferedTool(_name(body, f"{where}.custom"), custom=True)


def _function(value: object, where: str) -> OfferedTool:
    body = _object(value, where)
    name = _name(body, where)
    schema = body.get("parameters")
    if schema is not None:
        _object(schema, f"{where}.parameters")
        if schema and schema.get("type", "object") != "object":
            message = f"Invalid schema for function '{name}': schema must be of 'type: \"object\"'."
            raise BadRequestError(
                ErrorResponse(400, message, code="invalid_function_parameters", param=f"{where}.parameters")
            )
    if body.get("strict"):
        strict_schemas.check(schema or {}, f"function '{name}'", f"{where}.parameters")
    return OfferedTool(name, schema)


def _choice(value: object) -> tuple[CallMode, tuple[str, ...]]:
    if value is None:
        return "auto", ()
    if isinstance(value, str):
        if value not in MODES:
            raise BadRequestError(error_response.wrong_value("tool_choice", "one of " + ", ".join(MODES)))
        modes: dict[str, CallMode] = {"none": "none", "auto": "auto", "required": "required"}
        return modes[value], ()
    choice = _object(value, "tool_choice")
    kind = choice.get("type")
    if kind == "allowed_tools":
        allowed = _object(choice.get("allowed_tools"), "tool_choice.allowed_tools")
        if allowed.get("mode") not in ("auto", "required"):
            raise BadRequestError(error_response.wrong_value("tool_choice.allowed_tools.mode", "'auto' or 'required'"))
        tools = allowed.get("tools")
        if not isinstance(tools, list) or not tools:
            raise BadRequestError(error_response.wrong_type("tool_choice.allowed_tools.tools", "an array of tools"))
        return allowed["mode"], tuple(_chosen(tool, "tool_choice.allowed_tools.tools") for tool in tools)
    return "required", (_chosen(choice, "tool_choice"),)


def _chosen(value: object, where: str) -> str:
    choice = _object(value, where)
    kind = choice.get("type")
    if kind not in ("function", "custom"):
        raise BadRequestError(error_response.wrong_value(f"{where}.type", "'function', 'custom' or 'allowed_tools'"))
    name = _object(choice.get(kind), f"{where}.{kind}").get("name")
    if not isinstance(name, str):
        raise BadRequestError(error_response.missing(f"{where}.{kind}.name"))
    return name


def _check_names(names: tuple[str, ...], tools: tuple[OfferedTool, ...], where: str) -> None:
    for name in names:
        if name not in {tool.name for tool in tools}:
            message = f"Tool choice '{name}' not found in the 'tools' parameter."
            raise BadRequestError(ErrorResponse(400, message, param=where))


def _name(body: Json, where: str) -> str:
    name = body.get("name")
    if name is None:
        raise BadRequestError(error_response.missing(f"{where}.name"))
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        message = f"Invalid '{where}.name': string does not match pattern. Expected '^[a-zA-Z0-9_-]{{1,64}}$'."
        raise BadRequestError(ErrorResponse(400, message, code="invalid_value", param=f"{where}.name"))
    return name


def _object(value: object, where: str) -> Json:
    if value is None:
        raise BadRequestError(error_response.missing(where))
    if not isinstance(value, dict):
        raise BadRequestError(error_response.wrong_type(where, "an object"))
    return value
