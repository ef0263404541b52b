"""The options of a request: what goes to the model's server, and what is refused."""

import json
from typing import Any, get_type_hints

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.options import _OPTIONS, ChatOptionFields, find_session, parse_format, parse_options
from wire.prompt import AnswerFormat


def test_options_go_on_under_their_own_names() -> None:
    fields = {"temperature": 0.5, "seed": 7, "top_k": 3, "reasoning": {"effort": "low"}, "logit_bias": None, "x": 1}
    assert parse_options(fields) == {"temperature": 0.5, "seed": 7, "top_k": 3, "reasoning": {"effort": "low"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"max_completion_tokens": 5, "max_tokens": 9},
        {"max_completion_tokens": None, "max_tokens": 5},
    ],
)
def test_both_names_of_the_longest_answer_are_one_option(fields: dict[str, Any]) -> None:
    assert parse_options(fields) == {"max_tokens": 5}


def test_every_option_is_documented() -> None:
    documented = set(get_type_hints(ChatOptionFields)) - {"max_tokens", "max_completion_tokens"}
    assert documented == set(_OPTIONS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"),
        ("top_k", 1.5),
        ("logprobs", 1),
        ("top_logprobs", 21),
        ("top_logprobs", -1),
        ("max_tokens", "9"),
        ("reasoning_effort", 1),
        ("reasoning", "low"),
        ("logit_bias", []),
    ],
)
def test_options_of_the_wrong_kind_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_options({name: value})
    assert caught.value.fault.param == name


SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, AnswerFormat("json")),
        ({"type": "json_object", "schema": SCHEMA}, AnswerFormat("json", extra={"schema": SCHEMA})),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True, "x": 1}},
            AnswerFormat("schema", "a", None, SCHEMA, True, {"x": 1}),
        ),
    ],
)
def test_a_format_is_text_json_or_a_schema(given: Any, expected: AnswerFormat | None) -> None:
    assert parse_format(given) == expected


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("json", "response_format"),
        ({"type": "yaml"}, "response_format.type"),
        ({}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": 5}}, "response_format.json_schema.schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"a": "x" * 65536}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_other_formats_are_refused(given: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_format(given)
    assert caught.value.fault.param == param


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({}, ""),
        ({"prompt_cache_key": "k", "metadata": {"user_id": "user_1_account__session_0123-4567"}}, "k"),
        ({"metadata": {"user_id": "user_1_account__session_0123-4567"}}, "0123-4567"),
        ({"metadata": {"user_id": f"{'_session_1' * 1000}_session_{'a' * 64}"}}, "a" * 64),
        ({"metadata": {"user_id": f"session_{'a' * 64}"}}, "a" * 64),
        ({"metadata": {"user_id": f"_session_{'a' * 65}"}}, ""),
        ({"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s"})}}, "s"),
        ({"metadata": {"user_id": json.dumps({"session_id": "s", "x": "y" * 5000})}}, ""),
        ({"metadata": {"user_id": "somebody"}}, ""),
        ({"metadata": {"user_id": 5}, "user": "u", "safety_identifier": "s"}, ""),
    ],
)
def test_a_session_is_never_a_person(fields: dict[str, Any], session: str) -> None:
    assert find_session(fields) == session
