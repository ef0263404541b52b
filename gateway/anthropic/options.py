"""The options of a request, by their names in the chat completions API. Pure: InvalidRequestError for a bad one."""

from collections.abc import Mapping
from typing import Any

from gateway.http.fields import join_surrogates
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_object, rest_of
from gateway.openai.request_fields import MAX_STOP_LENGTH
from gateway.openai.tools import read_schema
from wire.prompt import AnswerFormat

MAX_STOPS = 64
_THINKING = ("enabled", "disabled", "adaptive")
# A schema has no name in this API, and has to have one in others.
_FORMAT_NAME = "answer"


def parse_options(fields: Fields) -> dict[str, Any]:
    """Return the options of a request, without the limit of its answer."""
    options: dict[str, Any] = {}
    for name in ("temperature", "top_p"):
        value = read_field(fields, name, float)
        if value is not None:
            if not 0 <= value <= 1:
                raise InvalidRequestError(f"'{name}' must be 0 to 1.", name, "invalid_value")
            options[name] = value
    top_k = read_field(fields, "top_k", int)
    if top_k is not None:
        options["top_k"] = _positive("top_k", top_k, 0)
    if stops := _stops(fields):
        options["stop"] = stops
    if thinking := _thinking(fields):
        options["thinking"] = thinking
    effort = read_field(_output(fields), "effort", str, "output_config")
    return options | ({"reasoning_effort": effort} if effort else {})


def parse_limit(fields: Fields) -> int:
    """Return the limit of an answer in tokens, which this API wants in each request."""
    limit: int | None = read_field(fields, "max_tokens", int)
    if limit is None:
        raise InvalidRequestError("You must provide 'max_tokens'.", "max_tokens", "invalid_type")
    return _positive("max_tokens", limit, 1)


def parse_format(fields: Fields) -> AnswerFormat | None:
    """Return the format of the answer, from `output_config.format` or the older `output_format`."""
    param = "output_config.format"
    given = _output(fields).get("format")
    if given is None:
        param, given = "output_format", fields.get("output_format")
    if given is None:
        return None
    form = read_object(given, param)
    if form.get("type") != "json_schema":
        raise InvalidRequestError(f"'{param}.type' must be 'json_schema'.", f"{param}.type", "unsupported_value")
    schema = read_schema(form, "schema", param)
    if schema is None:
        raise InvalidRequestError(f"'{param}.schema' must be an object.", f"{param}.schema", "invalid_type")
    # A server of the OpenAI API refuses to be strict with an open schema.
    strict = True if _is_closed(schema) else None
    return AnswerFormat("schema", _FORMAT_NAME, None, schema, strict, rest_of(form, ("type", "schema"), param))


def _is_closed(schema: object) -> bool:
    """Return whether each object in a schema has exactly the properties that it names."""
    if isinstance(schema, list):
        return all(map(_is_closed, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        sound = isinstance(properties, dict) and isinstance(required, list)
        if not sound or schema.get("additionalProperties") is not False or any(n not in required for n in properties):
            return False
    return all(map(_is_closed, schema.values()))


def rest_of_output(fields: Fields) -> Mapping[str, Any]:
    """Return what is in `output_config` beyond effort and format, in its place."""
    rest = rest_of(_output(fields), ("effort", "format"), "output_config")
    return {"output_config": rest} if rest else {}


def _output(fields: Fields) -> Fields:
    return read_field(fields, "output_config", dict) or {}


def _positive(name: str, value: int, least: int) -> int:
    if value < least:
        raise InvalidRequestError(f"'{name}' must be at least {least}.", name, "invalid_value")
    return value


def _thinking(fields: Fields) -> dict[str, Any] | None:
    thinking: dict[str, Any] | None = read_field(fields, "thinking", dict)
    if thinking is None:
        return None
    if thinking.get("type") not in _THINKING:
        message = f"'thinking.type' must be one of {', '.join(_THINKING)}."
        raise InvalidRequestError(message, "thinking.type", "invalid_value")
    check_depth(thinking, "thinking")
    budget = read_field(thinking, "budget_tokens", int, "thinking")
    if budget is not None:
        _positive("thinking.budget_tokens", budget, 1)
    return thinking


def _stops(fields: Fields) -> list[str]:
    name = "stop_sequences"
    stops = read_field(fields, name, list) or []
    if not all(isinstance(stop, str) for stop in stops):
        raise InvalidRequestError(f"'{name}' must be a list of strings.", name, "invalid_type")
    if len(stops) > MAX_STOPS or any(len(stop) > MAX_STOP_LENGTH for stop in stops):
        message = f"'{name}' may hold up to {MAX_STOPS} sequences of up to {MAX_STOP_LENGTH} characters."
        raise InvalidRequestError(message, name, "invalid_value")
    return [join_surrogates(stop) for stop in stops if stop]
