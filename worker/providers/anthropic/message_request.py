"""Build the body of a message of Anthropic's API from a prompt: everything of it that the API has a form for."""

from dataclasses import dataclass, field
from typing import Any

from wire.prompt import AnswerFormat, Prompt, Tool, ToolChoice
from worker.accounts.account import SystemMessages
from worker.providers.anthropic.content import FREE_TEXT, unable
from worker.providers.anthropic.message_turns import TurnWriter, lacks_thought, split_system, write_system
from worker.providers.anthropic.request_options import OptionsForm, write_options
from worker.providers.openai.chat_request import merge_extra

# What is ours to set.
_OURS = frozenset({"model", "messages", "system", "stream", "tools", "tool_choice", "max_tokens"})
_MODES = {"auto": "auto", "required": "any", "none": "none"}


@dataclass(frozen=True)
class MessageForm:
    """The form of requests that a server takes.

    `system`: where messages of the system go; `sees`: pictures are sent; without `thinking` no old thoughts are.
    """

    system: SystemMessages = "told"
    sees: bool = True
    thinking: bool = True
    options: OptionsForm = field(default_factory=OptionsForm)


def write_request(prompt: Prompt, form: MessageForm) -> dict[str, Any]:
    """Return the body, without `stream`. UpstreamError `model.unable` for what the API has no form for.

    The prompt has only those extra fields that the server may get; see own_fields.
    """
    own = prompt.dialect == "anthropic"
    system, others = split_system(prompt.messages, form.system)
    turns = TurnWriter(own=own, sees=form.sees, thinking=form.thinking).write(others)
    tools = _tools(prompt, own=own)
    choice = _tool_choice(prompt) if tools else None
    forced = choice is not None and choice["type"] in ("any", "tool")
    options = write_options(prompt, form.options, forced=forced, thinkable=not lacks_thought(turns))
    body: dict[str, Any] = {"model": prompt.model, **options, "messages": turns}
    if (text := write_system(system, own=own)) is not None:
        body["system"] = text
    if tools:
        body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice
    if prompt.format is not None:
        body = merge_extra(body, {"output_config": {"format": _format(prompt.format)}})
    return merge_extra(body, {name: value for name, value in prompt.extra.items() if name not in _OURS})


def free_text_tools(prompt: Prompt) -> frozenset[str]:
    """Return the names of tools that get any text, which the API doesn't know: they get an object with it."""
    return frozenset(tool.name for tool in prompt.tools if tool.kind == "custom")


def _tools(prompt: Prompt, *, own: bool) -> list[dict[str, Any]]:
    choice = prompt.tool_choice
    allowed = choice.names if choice is not None and not choice.named else ()
    hosted = own and "tools" not in prompt.ignored
    return [
        _tool(tool, own=own)
        for tool in prompt.tools
        if (hosted or tool.kind in ("function", "custom")) and (not allowed or tool.name in allowed)
    ]


def _tool(tool: Tool, *, own: bool) -> dict[str, Any]:
    if tool.kind not in ("function", "custom"):
        return {"type": tool.kind, **tool.extra}
    rendered: dict[str, Any] = {"name": tool.name}
    description = tool.description
    if tool.kind == "custom":
        description = "\n\n".join(filter(None, (description, *_grammar(tool))))
    if description is not None:
        rendered["description"] = description
    rendered["input_schema"] = _free_text() if tool.kind == "custom" else _schema(tool, own=own)
    if own and tool.strict is not None:
        rendered["strict"] = tool.strict
    return merge_extra(rendered, tool.extra)


def _schema(tool: Tool, *, own: bool) -> dict[str, Any]:
    schema = tool.parameters or {}
    return schema if "type" in schema or (own and schema) else {"type": "object", **schema}


def _free_text() -> dict[str, Any]:
    return {"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]}


def _grammar(tool: Tool) -> list[str]:
    """Return the grammar of a custom tool in words, if it has one."""
    given = tool.format or {}
    given = given if isinstance(given.get("definition"), str) else given.get("grammar") or {}
    definition = given.get("definition") if isinstance(given, dict) else None
    if not isinstance(definition, str):
        return []
    return [f"The {FREE_TEXT} must match this grammar ({given.get('syntax', 'lark')}):\n{definition}"]


def _tool_choice(prompt: Prompt) -> dict[str, Any] | None:
    choice, parallel = prompt.tool_choice, prompt.parallel_tool_calls
    if choice is None and parallel is not False:
        return None
    rendered = _choose(choice or ToolChoice("auto"))
    if parallel is not None and rendered["type"] != "none" and not (parallel and prompt.dialect != "anthropic"):
        rendered["disable_parallel_tool_use"] = not parallel
    return rendered


def _choose(choice: ToolChoice) -> dict[str, Any]:
    if choice.named:
        return {"type": "tool", "name": choice.names[0]}
    return {"type": _MODES[choice.mode]}


def _format(answer: AnswerFormat) -> dict[str, Any]:
    """Return the format. UpstreamError `model.unable` for JSON without a schema, which the API doesn't have."""
    if answer.kind == "json" or answer.schema is None:
        raise unable("a format of JSON without a schema")
    return {"type": "json_schema", "schema": answer.schema, **answer.extra}
