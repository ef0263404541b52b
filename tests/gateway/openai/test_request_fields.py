"""The fields of requests as the documentation has them are those that the parsers accept."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.docs import openapi
from gateway.openai import requests, validation
from gateway.openai.errors import InvalidRequestError
from gateway.openai.request_fields import (
    CompletionFields,
    ImageFields,
    OptionFields,
    ResponseFields,
    accepted_values,
    option_types,
)
from tests.support.api_document import Document

DOCUMENT = Document(openapi.document())
MESSAGES = [{"role": "user", "content": "hello"}]
CHAT: dict[str, Any] = {"model": "bing-balanced", "messages": MESSAGES}
RESPONSE: dict[str, Any] = {"model": "bing-balanced", "input": "hello"}
IMAGE: dict[str, Any] = {"prompt": "a red circle"}
PARSERS: dict[str, Callable[[validation.Fields], object]] = {
    "CompletionRequest": requests.parse_completion,
    "ResponseRequest": requests.parse_response,
    "ImageRequest": requests.parse_image,
}


def test_values_of_fields_that_accept_only_some_keep_order_and_type() -> None:
    tools = '"tools": [[]], "tool_choice": [[], "none", "auto"], '
    assert json.dumps(accepted_values(CompletionFields)) == (
        f'{{"n": [1], {tools}"functions": [[]], "function_call": [[], "none", "auto"], '
        '"response_format": [{"type": "text"}], "logprobs": [false], "top_logprobs": [0], "modalities": [[], ["text"]]}'
    )
    assert json.dumps(accepted_values(ResponseFields)) == (
        f'{{{tools}"background": [false], "top_logprobs": [0], "prompt": []}}'
    )
    assert json.dumps(accepted_values(ImageFields)) == '{"response_format": ["url", "b64_json"], "stream": [false]}'


def test_every_option_has_a_type_that_can_be_checked() -> None:
    assert set(option_types()) == set(OptionFields.__struct_fields__)
    assert set(option_types().values()) == {float, int, str, bool, dict}


def accepts(name: str, body: dict[str, Any]) -> bool:
    """Return whether a body is parsed. AssertionError unless the document has the same verdict."""
    try:
        fields = validation.parse_fields(json.dumps(body).encode())
        validation.read_conversation_id(fields, None, 16)
        PARSERS[name](fields)
    except InvalidRequestError:
        with pytest.raises(AssertionError):
            DOCUMENT.check({"$ref": f"#/components/schemas/{name}"}, body)
        return False
    DOCUMENT.check({"$ref": f"#/components/schemas/{name}"}, body)
    return True


PARTS = [{"type": "input_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CompletionRequest", CHAT | {"unknown": 1, "stop": ["a"], "stream_options": {"include_usage": True}}),
        (
            "CompletionRequest",
            CHAT | {"n": 1, "tools": [], "response_format": {"type": "text"}, "logprobs": False, "top_logprobs": 0},
        ),
        ("CompletionRequest", CHAT | {"temperature": 0.5, "seed": 1, "metadata": {"a": "b"}, "user": None}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "assistant"}, {"role": "user", "content": PARTS}]}),
        ("ResponseRequest", RESPONSE | {"input": MESSAGES, "text": {"format": {"type": "text"}}, "store": False}),
        ("ResponseRequest", RESPONSE | {"conversation": "support-case-20240102", "tool_choice": "auto"}),
        ("ResponseRequest", RESPONSE | {"conversation": {"id": "support-case-20240102"}, "prompt": None}),
        ("ImageRequest", IMAGE | {"n": 10, "model": "any", "response_format": "url", "stream": False}),
    ],
)
def test_what_is_accepted_is_documented(name: str, body: dict[str, Any]) -> None:
    assert accepts(name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CompletionRequest", {"model": "bing-balanced"}),
        ("CompletionRequest", CHAT | {"model": ""}),
        ("CompletionRequest", CHAT | {"messages": []}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "robot", "content": "a"}]}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "user", "content": [{"type": "image", "text": "a"}]}]}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        *(("CompletionRequest", CHAT | {"stop": stop}) for stop in (1, [1], ["a"] * 5, ["a" * 1025])),
        *(("CompletionRequest", CHAT | {name: 3}) for name in accepted_values(CompletionFields)),
        *(("ResponseRequest", RESPONSE | {name: 3}) for name in accepted_values(ResponseFields)),
        *(("ResponseRequest", RESPONSE | {name: [3]}) for name in option_types()),
        ("ResponseRequest", RESPONSE | {"text": {"format": {"type": "json_object"}}}),
        ("ResponseRequest", RESPONSE | {"conversation": "short"}),
        ("ResponseRequest", RESPONSE | {"conversation": {}}),
        ("ResponseRequest", RESPONSE | {"metadata": {"conversation_id": "short"}}),
        ("ResponseRequest", RESPONSE | {"input": ""}),
        *(("ImageRequest", IMAGE | {"n": n}) for n in (0, 11, "1")),
        *(("ImageRequest", IMAGE | {name: 3}) for name in ("response_format", "stream", "model")),
        ("ImageRequest", {}),
    ],
)
def test_what_is_refused_is_not_documented(name: str, body: dict[str, Any]) -> None:
    assert not accepts(name, body)
