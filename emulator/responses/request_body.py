"""The body of a request for a response, checked as OpenAI's API does."""

from dataclasses import dataclass, field
from typing import Any

from emulator.json_text import Json
from emulator.openai import error_response, offered_tools, parameters
from emulator.openai import request_body as bodies
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import CompletionMessage
from emulator.openai.offered_tools import ToolRequest
from emulator.openai.parameters import CompletionParameters
from emulator.responses import input_items
from emulator.responses.response_store import RememberedResponse, ResponseStore
from emulator.sent_pictures import SentPicture

LEAST_TOKENS = 16
FIELDS = {
    "background", "conversation", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
    "model", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention",
    "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip
OWN_TOOLS = ("function", "custom")
ENCRYPTED = "reasoning.encrypted_content"


@dataclass(frozen=True)
class AskedResponseBody:
    """What a client asks for. items: of the whole conversation. value: as it was sent."""

    model: str
    messages: tuple[CompletionMessage, ...]
    items: tuple[Json, ...]
    stream: bool
    tools: ToolRequest
    parameters: CompletionParameters
    value: Json = field(default_factory=dict, compare=False, repr=False)

    @property
    def pictures(self) -> tuple[SentPicture, ...]:
        """The pictures in all messages."""
        return tuple(picture for message in self.messages for picture in message.pictures)

    @property
    def tone(self) -> str | None:
        """The style that the temperature asks for, named as Bing names it; None if none was sent."""
        return bodies.read_tone(self.parameters.temperature)

    @property
    def stored(self) -> bool:
        """Whether the response is to be stored."""
        return self.value.get("store") is not False

    @property
    def encrypts(self) -> bool:
        """Whether thoughts come with their encrypted content."""
        return ENCRYPTED in (self.value.get("include") or ())


def parse(data: bytes, store: ResponseStore) -> AskedResponseBody:
    """Return what a body asks for. Raises BadRequestError for the first thing that is wrong."""
    value = bodies.load(data)
    model = bodies.read_model(value)
    for name in value:
        if name not in FIELDS:
            reason = f"Unknown parameter: '{name}'."
            raise BadRequestError(ErrorResponse(400, reason, code="unknown_parameter", param=name))
    stream = parameters.flag(value, "stream")
    parameters.flag(value, "store")
    before = _previous(value, store)
    if value.get("input") is None and before is None:
        raise BadRequestError(error_response.missing("input"))
    sent = input_items.as_items(value.get("input") or [])
    items = (*(before.history if before else ()), *input_items.resolve(sent, store.find_item))
    messages = input_items.convert(items)
    instructions = value.get("instructions")
    if isinstance(instructions, str) and instructions:
        messages = (CompletionMessage("developer", instructions), *messages)
    return AskedResponseBody(model, messages, items, stream, _tools(value), _parameters(value), value)


def _previous(value: Json, store: ResponseStore) -> RememberedResponse | None:
    name = value.get("previous_response_id")
    if name is None:
        return None
    found = store.find(str(name))
    if found is None:
        reason = f"Previous response with id '{name}' not found."
        code, param = "previous_response_not_found", "previous_response_id"
        raise BadRequestError(ErrorResponse(400, reason, code=code, param=param))
    return found


def _tools(value: Json) -> ToolRequest:
    """Return the tools that can be called: those that the server would run itself can't."""
    sent = value.get("tools")
    if sent is not None and not isinstance(sent, list):
        raise BadRequestError(error_response.wrong_type("tools", "an array"))
    own = [_nest(tool) for tool in sent or () if not isinstance(tool, dict) or tool.get("type") in (None, *OWN_TOOLS)]
    choice = _choice(value.get("tool_choice"))
    return offered_tools.parse(
        {"tools": own, "tool_choice": choice, "parallel_tool_calls": value.get("parallel_tool_calls")}
        if own
        else {"tool_choice": choice if choice in ("required",) and not sent else None}
    )


def _nest(tool: Any) -> Any:
    """Return a tool, or the choice of one, with its fields in an object of their own, as chat completions have it."""
    if not isinstance(tool, dict) or tool.get("type") not in OWN_TOOLS:
        return tool
    return {"type": tool["type"], tool["type"]: {name: one for name, one in tool.items() if name != "type"}}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = {"mode": choice.get("mode"), "tools": [_nest(tool) for tool in choice.get("tools") or ()]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return _nest(choice)


def _parameters(value: Json) -> CompletionParameters:
    form = _object(value, "text").get("format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        form = {"type": "json_schema", "json_schema": {name: one for name, one in form.items() if name != "type"}}
    parameters.whole_number(value, "max_output_tokens", LEAST_TOKENS, 2**31)
    return parameters.parse(
        {
            "messages": value.get("input"),
            "temperature": value.get("temperature"),
            "top_p": value.get("top_p"),
            "max_tokens": value.get("max_output_tokens"),
            "reasoning_effort": _object(value, "reasoning").get("effort"),
            "response_format": form,
        }
    )


def _object(value: Json, name: str) -> Json:
    sent = value.get(name)
    if sent is not None and not isinstance(sent, dict):
        raise BadRequestError(error_response.wrong_type(name, "an object"))
    return sent or {}
