"""Options, by their names in the chat completions API."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.anthropic.options import parse_format, parse_limit, parse_options, rest_of_output
from gateway.openai.errors import InvalidRequestError
from wire.prompt import AnswerFormat

SCHEMA = {"type": "object"}


def test_options_have_their_names_in_chat_completions() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    fields = {
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 0,
        "stop_sequences": ["a", ""],
        "thinking": thinking,
        "output_config": {"effort": "max", "task_budget": {"total": 1}},
        "service_tier": "auto",
    }
    assert parse_options(fields) == {
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 0,
        "stop": ["a"],
        "thinking": thinking,
        "reasoning_effort": "max",
    }
    assert rest_of_output(fields) == {"output_config": {"task_budget": {"total": 1}}}


def test_without_options_there_are_none() -> None:
    assert parse_options({"output_config": {}, "stop_sequences": None}) == {}
    assert rest_of_output({}) == {}


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_format_is_a_schema_at_either_place(place: str) -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    fields = {"output_format": form} if place == "output_format" else {"output_config": {"format": form}}
    assert parse_format(fields) == AnswerFormat("schema", "answer", None, SCHEMA)
    assert parse_format({}) is None


CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (CLOSED | {"required": []}, None),
        (CLOSED | {"properties": {"a": SCHEMA}}, None),
        (CLOSED | {"properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        (CLOSED | {"properties": {"a": {"anyOf": [SCHEMA]}}}, None),
        (CLOSED | {"properties": []}, None),
        ({"type": "array", "items": CLOSED}, True),
    ],
)
def test_a_server_is_to_be_strict_with_a_schema_that_is_closed(schema: dict[str, Any], strict: bool | None) -> None:
    form = parse_format({"output_format": {"type": "json_schema", "schema": schema}})
    assert form is not None
    assert form.strict is strict


@pytest.mark.parametrize(
    ("parse", "fields", "param"),
    [
        (parse_limit, {}, "max_tokens"),
        (parse_limit, {"max_tokens": 0}, "max_tokens"),
        (parse_limit, {"max_tokens": 1.5}, "max_tokens"),
        (parse_limit, {"max_tokens": True}, "max_tokens"),
        (parse_options, {"temperature": 1.1}, "temperature"),
        (parse_options, {"top_p": -0.1}, "top_p"),
        (parse_options, {"top_k": -1}, "top_k"),
        (parse_options, {"stop_sequences": "a"}, "stop_sequences"),
        (parse_options, {"stop_sequences": [1]}, "stop_sequences"),
        (parse_options, {"stop_sequences": ["a"] * 65}, "stop_sequences"),
        (parse_options, {"stop_sequences": ["a" * 1025]}, "stop_sequences"),
        (parse_options, {"thinking": True}, "thinking"),
        (parse_options, {"thinking": {"type": "some"}}, "thinking.type"),
        (parse_options, {"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
        (parse_options, {"output_config": 1}, "output_config"),
        (parse_options, {"output_config": {"effort": 1}}, "output_config.effort"),
        (parse_format, {"output_config": {"format": 1}}, "output_config.format"),
        (parse_format, {"output_format": {"type": "text"}}, "output_format.type"),
        (parse_format, {"output_format": {"type": "json_schema"}}, "output_format.schema"),
    ],
)
def test_what_can_not_be_read_is_refused_by_its_name(
    parse: Callable[[dict[str, Any]], object], fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse(fields)
    assert refused.value.fault.param == param
