"""The options of a request: what a model's server may take beside messages and tools. Pure, as validation."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, rest_of
from gateway.openai.tools import Schema, ToolName, read_schema
from wire.prompt import AnswerFormat

# What goes to the server, with its type. `stop` has several.
_OPTIONS: Mapping[str, type] = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "min_p": float,
    "frequency_penalty": float,
    "presence_penalty": float,
    "seed": int,
    "logit_bias": dict,
    "logprobs": bool,
    "top_logprobs": int,
    "reasoning_effort": str,
    "reasoning": dict,
    "thinking": dict,
    "verbosity": str,
    "service_tier": str,
    "prompt_cache_key": str,
    "prompt_cache_retention": str,
    "safety_identifier": str,
    "truncation": str,
    "prediction": dict,
    "web_search_options": dict,
}
MOST_LOGPROBS = 20
MAX_SESSION = 512
# The session in the `metadata.user_id` of programs that also speak Anthropic's API.
_SESSION = re.compile(r"(?:^|_)session_([0-9A-Za-z-]{8,64})$")
# Characters of one that is JSON.
_LONGEST_USER = 4096
# As much of the end as that can need, and one more: nothing else begins there.
_LONGEST_SESSION_END = len("__session_") + 64


class JsonSchemaFields(msgspec.Struct, kw_only=True):
    """A schema for the answer."""

    name: ToolName
    description: str | None = None
    schema: Schema = None
    strict: bool | None = None


class TextFormat(msgspec.Struct, kw_only=True):
    """Any text."""

    type: Literal["text"]


class JsonFormat(msgspec.Struct, kw_only=True):
    """Any JSON."""

    type: Literal["json_object"]


class SchemaFormat(msgspec.Struct, kw_only=True):
    """JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchemaFields


class FlatSchemaFormat(JsonSchemaFields, kw_only=True):
    """JSON of a schema, in `text.format`."""

    type: Literal["json_schema"]


# What a request has as its format.
FORMATS: Sequence[type[msgspec.Struct]] = (TextFormat, JsonFormat, SchemaFormat)


class ChatOptionFields(msgspec.Struct, kw_only=True):
    """Options that go to the model's server. Those that a model can't take are named in X-Ignored-Parameters."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    logit_bias: dict[str, Any] | None = None
    max_tokens: Annotated[int | None, Meta(description="As max_completion_tokens, which goes before it.")] = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MOST_LOGPROBS)] | None = None
    reasoning_effort: str | None = None
    reasoning: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    prompt_cache_key: Annotated[
        str | None, Meta(description="Questions with the same one go to the same account, where that is possible.")
    ] = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    truncation: str | None = None
    prediction: dict[str, Any] | None = None
    web_search_options: dict[str, Any] | None = None


def parse_options(fields: Fields) -> dict[str, Any]:
    """Return the options of a request by their names in the chat completions API, without `stop`."""
    options = read_options(fields, _OPTIONS)
    limits = [read_field(fields, name, int) for name in ("max_completion_tokens", "max_tokens")]
    for limit in limits:
        if limit is not None:
            options.setdefault("max_tokens", limit)
    return options


def read_options(fields: Fields, names: Collection[str]) -> dict[str, Any]:
    """Return those of the options that a request has, after a check of their types."""
    options: dict[str, Any] = {}
    for name in names:
        value = read_field(fields, name, _OPTIONS[name])
        if value is not None:
            check_depth(value, name)
            options[name] = value
    if not 0 <= options.get("top_logprobs", 0) <= MOST_LOGPROBS:
        message = f"'top_logprobs' must be 0 to {MOST_LOGPROBS}."
        raise InvalidRequestError(message, "top_logprobs", "invalid_value")
    return options


def parse_format(given: object, param: str = "response_format") -> AnswerFormat | None:
    """Return the format of the answer from the field `param`; None for text.

    A schema is in `json_schema`, or in the format itself in the flat form of `text.format`.
    """
    if given is None:
        return None
    fields = read_object(given, param)
    match fields.get("type"):
        case "text":
            return None
        case "json_object":
            return AnswerFormat("json", extra=rest_of(fields, ("type",), param))
        case "json_schema" if param == "text.format":
            return _parse_schema({name: value for name, value in fields.items() if name != "type"}, param)
        case "json_schema":
            inner = f"{param}.json_schema"
            return _parse_schema(read_object(fields.get("json_schema"), inner), inner)
    message = f"'{param}.type' must be 'text', 'json_object' or 'json_schema'."
    raise InvalidRequestError(message, f"{param}.type", "unsupported_value")


def _parse_schema(schema: Fields, param: str) -> AnswerFormat:
    return AnswerFormat(
        "schema",
        read_filled(schema, "name", param),
        read_field(schema, "description", str, param),
        read_schema(schema, "schema", param),
        read_field(schema, "strict", bool, param),
        rest_of(schema, ("name", "description", "schema", "strict"), param),
    )


def find_session(fields: Fields) -> str:
    """Return the session that a request's body names, '' for none."""
    key = fields.get("prompt_cache_key")
    user = (fields.get("metadata") or {}).get("user_id")
    if isinstance(key, str) and key:
        return key[:MAX_SESSION]
    return _session_of(user) if isinstance(user, str) else ""


def _session_of(user: str) -> str:
    """Return the session in a user's id, which is JSON with a `session_id`, or ends with `session_…`."""
    try:
        value = msgspec.json.decode(user) if len(user) <= _LONGEST_USER else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = None
    session = value.get("session_id") if isinstance(value, dict) else None
    if isinstance(session, str):
        return session[:MAX_SESSION]
    match = _SESSION.search(user[-_LONGEST_SESSION_END:])
    return match[1] if match else ""
