"""Which of our own fields a refusal names, as servers write it."""

from typing import Any

import pytest

from worker.providers.openai.errors import parse_error
from worker.providers.openai.parameters import find_parameter

# Of earlier answers.
FIELDS = {"reasoning_content", "x"}
SHAPES: list[tuple[Any, str]] = [
    # OpenAI, o-series and gpt-5
    (
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.2 with this model.",
                "type": "invalid_request_error",
                "param": "temperature",
                "code": "unsupported_value",
            }
        },
        "temperature",
    ),
    ({"error": {"message": "Unsupported parameter: 'temperature' is not supported with this model."}}, "temperature"),
    # Azure's older versions
    ({"error": {"message": "Unrecognized request argument supplied: stream_options"}}, "stream_options"),
    # Mistral, FastAPI and pydantic
    ({"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "…"}]}, "stream_options"),
    (
        {
            "object": "error",
            "message": {"detail": [{"loc": ["body", "stream_options", "include_usage"], "msg": "Extra inputs"}]},
        },
        "stream_options",
    ),
    # vLLM's older versions
    ({"object": "error", "message": "Stream options can only be defined when stream is True."}, "stream_options"),
    # Go and Rust
    ({"error": 'json: unknown field "stream_options"'}, "stream_options"),
    (
        {"error": {"message": "unknown field `stream_options`, expected one of `model`, `messages`, `temperature`"}},
        "stream_options",
    ),
    # Python
    ({"error": {"message": "create() got an unexpected keyword argument 'stream_options'"}}, "stream_options"),
    ({"error": {"message": "temperature must be in (0, 1]"}}, "temperature"),
    ({"error": {"message": "`temperature` is deprecated for this model."}}, "temperature"),
    ({"error": {"message": "Streaming is not supported by this model"}}, "stream"),
    ({"error": {"message": "x", "param": "stream"}}, "stream"),
    # The name of a parameter
    (
        {
            "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "param": "max_tokens",
            }
        },
        "max_tokens",
    ),
    ({"error": {"message": "Unrecognized request argument supplied: max_completion_tokens"}}, "max_completion_tokens"),
    # Its value
    ({"error": {"message": "max_tokens is too large: this model supports at most 4096.", "param": "max_tokens"}}, ""),
    ({"error": {"message": "`max_tokens` must be less than or equal to `8192`"}}, ""),
    # A signature
    (
        [{"error": {"message": "Function call is missing a thought_signature in functionCall parts."}}],
        "thought_signature",
    ),
    ({"error": {"message": "messages.1.content.0: Invalid `signature` in `thinking` block"}}, "signature"),
    ({"error": {"message": "x", "metadata": {"raw": "Invalid `signature` in `thinking` block"}}}, "signature"),
    ({"error": {"message": "The encrypted content gAAA could not be verified."}}, "signature"),
    # The ids of calls
    ({"message": "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."}, "tool_call_id"),
    ({"error": {"message": "Invalid 'messages[1].tool_calls[0].id': string too long."}}, "tool_call_id"),
    # A client's own field, whose value may be anything
    ({"error": {"message": "Invalid value: 'stream'. Supported values are: 'low'.", "param": "reasoning_effort"}}, ""),
    # The value of a field of an earlier answer, which another client may send right
    ({"error": {"message": "Invalid input: expected array, received string", "param": "messages.1.x"}}, "signature"),
    # A field of an earlier answer
    (
        {"message": {"detail": [{"loc": ["body", "messages", 1, "assistant", "reasoning_content"], "msg": "no"}]}},
        "reasoning_content",
    ),
    ({"error": {"message": "('messages.1' : property 'reasoning_content' is unsupported)"}}, "reasoning_content"),
    ({"error": {"message": "Unknown parameter: 'messages[1].x'.", "param": "messages[1].x"}}, "x"),
    ({"error": {"message": "unknown field `x`"}}, "x"),
    ({"error": {"message": "unknown field `y`, expected one of `x`"}}, ""),
    ({"error": {"message": "not supported: x is no field"}}, ""),
    # Of something else
    ({"error": {"message": "Unsupported value: 'top_k'", "param": "top_k"}}, ""),
    ({"error": {"message": "unknown field `top_k`, expected one of `model`, `stream`, `temperature`"}}, ""),
    ({"error": {"message": "What is the temperature in Paris?"}}, ""),
    ({"error": {"message": ""}}, ""),
]


@pytest.mark.parametrize(("error", "parameter"), SHAPES)
def test_a_refusal_names_one_of_our_own_fields(error: Any, parameter: str) -> None:
    for status in (400, 422):
        assert parse_error(error, status).to_upstream_error(fields=FIELDS).parameter == parameter


@pytest.mark.parametrize(
    "words",
    [
        "Unexpected value(s) `fine-grained-tool-streaming-2025-05-14` for the `anthropic-beta` header.",
        "messages.0.content.0.text.stream: Extra inputs are not permitted",
        "tools[3].temperature is not supported",
    ],
)
def test_a_clients_own_fields_and_values_are_none_of_ours(words: str) -> None:
    error = {"error": {"type": "invalid_request_error", "message": words}}
    assert parse_error(error, 400).to_upstream_error(fields={"stream", "temperature"}).parameter == ""


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503, 504])
def test_other_refusals_name_none(status: int) -> None:
    error = {"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}
    assert parse_error(error, status).to_upstream_error().parameter == ""


@pytest.mark.parametrize("value", ["a", "a.", "a-", "a-b-c."])
def test_a_long_value_in_a_refusal_is_read_in_the_time_of_its_length(value: str) -> None:
    # With the square of it this would take hours, and meet the limit that each test has.
    assert find_parameter((), f"unsupported {value * 300_000} temperature") == "temperature"


def test_names_behind_a_clients_own_words_are_none_of_ours() -> None:
    assert find_parameter((), "unsupported: tool-streaming-2025.stream.1") == ""


def test_a_clients_long_names_are_looked_for_in_the_time_of_their_length() -> None:
    # Patterns of them would take minutes to make.
    names = {f"n{number}_" + "x" * 5_000_000 for number in range(8)}
    assert find_parameter((), "unknown field `short_name`", {*names, "short_name"}) == "short_name"
