"""The requests of /v1/responses. Pure: the fields of a body in, a request or InvalidRequestError out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.openai import options
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_text, rest_of
from gateway.openai.request_fields import ResponseFields, accepted_values
from gateway.openai.requests import CompletionRequest, check_asked, read_model, reject_unsupported
from gateway.openai.responses import input_items
from gateway.openai.responses import tools as response_tools
from gateway.openai.responses.item_references import KeptAnswers
from wire.prompt import AnswerFormat, Message, Prompt, Text
from wire.prompt_text import to_text

# Bytes of JSON that come back in a response.
MAX_ECHO = 16 * 1024
LOGPROBS = "message.output_text.logprobs"
_VALUES = accepted_values(ResponseFields)
_TRUNCATIONS = ("auto", "disabled")
# The options that have the names of chat completions; others have none in this API, but some servers know them.
_OPTIONS = (
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "seed", "logit_bias",
    "top_logprobs", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "truncation",
)  # fmt: skip
# What comes back in the response as it was sent.
_ECHOED = (
    "background", "include", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store",
    "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
_NAMES = frozenset((*ResponseFields.__struct_fields__, *_OPTIONS, *_ECHOED))
# Fields of chat completions that have another place in this API, as a sentence to a client has them.
_MOVED = {
    "messages": "input", "response_format": "text.format", "functions": "tools", "function_call": "tool_choice",
    "max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort", "verbosity": "text.verbosity",
}  # fmt: skip


def parse_response(fields: Fields, answers: KeptAnswers | None = None, *, named: bool = False) -> CompletionRequest:
    """Return the request of a body of /v1/responses. `answers` are those that its items refer to.

    `named`: a header names the conversation that it continues.
    """
    model = read_model(fields)
    reject_unsupported(fields, _VALUES)
    _reject_moved(fields)
    previous, stored, background = _parse_memory(fields)
    continues = named or previous is not None or _names_conversation(fields)
    own = input_items.parse_input(fields.get("input"), answers or {}, continues=continues)
    check_asked(own, "input")
    instructions = read_text(fields, "instructions")
    first = (Message("system", (Text(instructions),), string=True),) if instructions else ()
    tools, text = response_tools.parse_flat_tools(fields), read_field(fields, "text", dict) or {}
    parallel = read_field(fields, "parallel_tool_calls", bool)
    prompt = Prompt(
        "responses",
        model,
        (*first, *own),
        tools=tools,
        tool_choice=response_tools.parse_flat_choice(fields, tools),
        parallel_tool_calls=parallel if tools else None,
        format=_parse_format(text),
        options=_parse_options(fields, text),
        extra=rest_of(fields, _NAMES),
        session=options.find_session(fields),
    )
    return CompletionRequest(
        prompt,
        to_text(prompt.messages, instructions=len(first)),
        bool(read_field(fields, "stream", bool)),
        previous=previous,
        stored=stored,
        lasting=background or fields.get("store") is True,
        instructions=len(first),
        echo=limit_echo(_echo(fields)),
        background=background,
    )


def _reject_moved(fields: Fields) -> None:
    """Raise InvalidRequestError for a field of chat completions, without which the answer would be another one."""
    for name in _MOVED:
        if fields.get(name) is not None:
            message = f"'{name}' is not supported here: in the Responses API it is '{_MOVED[name]}'."
            raise InvalidRequestError(message, name, "unsupported_parameter")


def _parse_memory(fields: Fields) -> tuple[str | None, bool, bool]:
    """Return the response that the request continues from, and whether its own is stored, and not waited for."""
    previous = read_text(fields, "previous_response_id") or None
    if previous is not None and fields.get("conversation") is not None:
        message = "'previous_response_id' can't be used together with 'conversation'."
        raise InvalidRequestError(message, "previous_response_id", "invalid_value")
    store, background = (read_field(fields, name, bool) for name in ("store", "background"))
    if background and store is False:
        raise InvalidRequestError("'background' needs 'store'.", "background", "invalid_value")
    return previous, store is not False, bool(background)


def _names_conversation(fields: Fields) -> bool:
    inner = read_field(fields, "metadata", dict) or {}
    return fields.get("conversation") is not None or inner.get("conversation_id") is not None


def _parse_format(text: Fields) -> AnswerFormat | None:
    return options.parse_format(text.get("format"), "text.format")


def _parse_options(fields: Fields, text: Fields) -> dict[str, Any]:
    """Return the options by their names in the chat completions API."""
    parsed = options.read_options(fields, _OPTIONS)
    if parsed.get("truncation", "auto") not in _TRUNCATIONS:
        raise InvalidRequestError("'truncation' must be 'auto' or 'disabled'.", "truncation", "invalid_value")
    if parsed.get("truncation") == "disabled":
        # So it is anyway.
        del parsed["truncation"]
    read_field(fields, "max_tool_calls", int)
    read_field(read_field(fields, "stream_options", dict) or {}, "include_obfuscation", bool, "stream_options")
    reasoning = read_field(fields, "reasoning", dict) or {}
    for name in ("summary", "generate_summary"):
        read_field(reasoning, name, str, "reasoning")
    named = {
        "max_tokens": read_field(fields, "max_output_tokens", int),
        "reasoning_effort": read_field(reasoning, "effort", str, "reasoning"),
        "verbosity": read_field(text, "verbosity", str, "text"),
        "logprobs": True if LOGPROBS in _parse_include(fields) or parsed.get("top_logprobs") else None,
    }
    return parsed | {name: value for name, value in named.items() if value is not None}


def _parse_include(fields: Fields) -> list[str]:
    include: list[Any] = read_field(fields, "include", list) or []
    if not all(isinstance(name, str) for name in include):
        raise InvalidRequestError("'include' must be a list of strings.", "include", "invalid_type")
    return include


def _echo(fields: Fields) -> dict[str, Any]:
    echo = {name: fields[name] for name in _ECHOED if fields.get(name) not in (None, "")}
    conversation = fields.get("conversation")
    if conversation is not None:
        echo["conversation"] = {"id": conversation} if isinstance(conversation, str) else conversation
    for name, value in echo.items():
        check_depth(value, name)
    return echo


def limit_echo(echo: Mapping[str, Any]) -> dict[str, Any]:
    """Return what comes back in a response, up to MAX_ECHO bytes: the largest values are left out first."""
    sizes = {name: len(msgspec.json.encode({name: value})) for name, value in echo.items()}
    size, left = sum(sizes.values()), dict(echo)
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if size <= MAX_ECHO:
            break
        size -= sizes[name]
        del left[name]
    return left
