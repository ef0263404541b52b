"""The fields of requests as the documentation has them are those that the parsers accept."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.docs import openapi
from gateway.openai import requests, validation
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields
from gateway.openai.request_fields import (
    CompletionFields,
    ImageFields,
    OptionFields,
    ResponseFields,
    accepted_values,
    option_types,
)
from gateway.openai.responses.requests import parse_response
from tests.support.api_document import Document

DOCUMENT = Document(openapi.document())
MESSAGES = [{"role": "user", "content": "hello"}]
CHAT: dict[str, Any] = {"model": "bing-balanced", "messages": MESSAGES}
RESPONSE: dict[str, Any] = {"model": "bing-balanced", "input": "hello"}
IMAGE: dict[str, Any] = {"prompt": "a red circle"}
PARSERS: dict[str, Callable[[Fields], object]] = {
    "CompletionRequest": requests.parse_completion,
    "ResponseRequest": parse_response,
    "ImageRequest": requests.parse_image,
}


def test_values_of_fields_that_accept_only_some_keep_order_and_type() -> None:
    assert json.dumps(accepted_values(CompletionFields)) == (
        '{"n": [1], "best_of": [1], "echo": [false], "suffix": [], "modalities": [[], ["text"]], "audio": []}'
    )
    assert json.dumps(accepted_values(ResponseFields)) == '{"prompt": []}'
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


ADD: dict[str, Any] = {"name": "add", "description": "Adds", "parameters": {"type": "object"}, "strict": True}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": ADD},
    {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}},
    {"type": "web_search", "filters": {}},
]
NAMED: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "add"}},
    {"type": "custom", "custom": {"name": "run"}},
]
CHOICES: list[Any] = [
    "none",
    "auto",
    "required",
    None,
    *NAMED,
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": NAMED}},
]
FORMATS: list[Any] = [
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}},
    None,
]
CALLS: list[dict[str, Any]] = [
    {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}},
    {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
]
ROUND: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": "data:image/gif;base64,R0lGODlh"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": CALLS, "reasoning_content": "hm"},
    {"role": "tool", "tool_call_id": "c1", "content": "2"},
    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "x"}]},
    {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}},
    {"role": "function", "name": "add", "content": "2"},
]
FLAT_TOOLS: list[dict[str, Any]] = [
    {"type": "function", **ADD, "defer_loading": True},
    {"type": "custom", "name": "run", "format": {"type": "text"}},
    {"type": "web_search", "filters": {}},
]
FLAT_NAMED: list[Any] = [{"type": "function", "name": "add"}, {"type": "custom", "name": "run"}]
FLAT_CHOICES: list[Any] = [
    "none",
    "auto",
    "required",
    None,
    *FLAT_NAMED,
    {"type": "allowed_tools", "mode": "auto", "tools": [*FLAT_NAMED, {"type": "web_search"}]},
]
FLAT_FORMATS: list[Any] = [
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True},
    None,
]
RESPONSE_OPTIONS: dict[str, Any] = {
    "background": True,
    "frequency_penalty": 0,
    "include": ["reasoning.encrypted_content", "web_search_call.results"],
    "instructions": "be brief",
    "logit_bias": {},
    "max_output_tokens": 5,
    "max_tool_calls": 1,
    "metadata": {"a": "b"},
    "min_p": 0.1,
    "parallel_tool_calls": False,
    "presence_penalty": 0,
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low", "summary": "auto", "generate_summary": None},
    "safety_identifier": "s",
    "seed": 1,
    "service_tier": "auto",
    "stream": False,
    "stream_options": {"include_obfuscation": False},
    "temperature": 0.5,
    "text": {"verbosity": "low"},
    "top_k": 1,
    "top_logprobs": 20,
    "top_p": 1,
    "truncation": "auto",
    "unknown": 1,
    "user": "u",
}
ITEMS: list[Any] = [
    {"type": "message", "role": "developer", "content": "be kind"},
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "a"},
            {"type": "input_image", "image_url": "https://e.org/a.png", "detail": "low"},
            {"type": "input_image", "image_url": "data:image/gif;base64,R0lGODlh"},
            {"type": "input_image", "file_id": "f"},
            {"type": "input_file", "file_id": "f"},
        ],
    },
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "abc"},
    {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "status": "completed"},
    {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
    {"type": "custom_tool_call", "call_id": "c2", "name": "run", "input": "ls"},
    {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "1"}]},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": "a"},
    {"type": "web_search_call", "action": {"type": "search", "query": "a"}},
    {"type": "local_shell_call", "call_id": "c3", "action": {}},
    {"type": "local_shell_call_output", "call_id": "c3", "output": "a"},
    {"type": "mcp_list_tools"},
    {"type": "compaction", "encrypted_content": "abc"},
    {"id": "rs_1"},
    {"role": "user", "content": "hi"},
]
PARTS = [{"type": "input_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CompletionRequest", CHAT | {"unknown": 1, "stop": ["a"], "stream_options": {"include_usage": True}}),
        ("CompletionRequest", CHAT | {"n": 1, "tools": [], "logprobs": False, "top_logprobs": 0}),
        *(("CompletionRequest", CHAT | {"response_format": given}) for given in FORMATS),
        *(("CompletionRequest", CHAT | {"tools": TOOLS, "tool_choice": choice}) for choice in CHOICES),
        ("CompletionRequest", CHAT | {"functions": [ADD], "function_call": {"name": "add"}}),
        ("CompletionRequest", CHAT | {"messages": ROUND}),
        *(("CompletionRequest", CHAT | {name: 1}) for name in ("top_k", "max_tokens", "max_completion_tokens")),
        ("CompletionRequest", CHAT | {"reasoning_effort": "low", "reasoning": {"effort": "low"}, "store": True}),
        ("CompletionRequest", CHAT | {"temperature": 0.5, "seed": 1, "metadata": {"a": "b"}, "user": None}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "assistant"}, {"role": "user", "content": PARTS}]}),
        ("ResponseRequest", RESPONSE | {"input": MESSAGES, "text": {"format": {"type": "text"}}, "store": False}),
        ("ResponseRequest", RESPONSE | {"conversation": "support-case-20240102", "tool_choice": "auto"}),
        *(("ResponseRequest", RESPONSE | {"tools": FLAT_TOOLS, "tool_choice": choice}) for choice in FLAT_CHOICES),
        *(("ResponseRequest", RESPONSE | {"text": {"format": given}}) for given in FLAT_FORMATS),
        *(("ResponseRequest", RESPONSE | {name: value}) for name, value in RESPONSE_OPTIONS.items()),
        *(("ResponseRequest", RESPONSE | {name: None}) for name in RESPONSE_OPTIONS),
        ("ResponseRequest", RESPONSE | {"input": ITEMS}),
        ("ResponseRequest", RESPONSE | {"conversation": {"id": "support-case-20240102"}, "prompt": None}),
        ("ImageRequest", IMAGE | {"n": 10, "model": "any", "response_format": "url", "stream": False}),
    ],
)
def test_what_is_accepted_is_documented(name: str, body: dict[str, Any]) -> None:
    assert accepts(name, body)


BAD_TOOLS: list[Any] = [{}, [{}], [{"type": "function"}]]
BAD_FLAT_TOOLS: list[Any] = [{}, [{}], [{"type": "function"}], [{"type": "custom", "name": ""}]]
BAD_ITEMS: list[Any] = [
    {"type": "teapot"},
    {"role": "tool", "content": "a"},
    {"role": "user"},
    {"role": "user", "content": [{"type": "input_image", "image_url": "cat.png"}]},
    {"role": "user", "content": [{"type": "input_text"}]},
    {"role": "user", "content": [{}]},
    {"type": "function_call", "call_id": "c1", "name": "add"},
    {"type": "function_call", "call_id": "c1", "arguments": "{}"},
    {"type": "custom_tool_call", "call_id": "c1", "name": "run", "arguments": "{}"},
    {"type": "function_call_output", "output": "a"},
    {"type": "function_call_output", "call_id": "c1"},
    {"type": "item_reference"},
    {"type": "reasoning", "summary": [{}]},
    {"type": "reasoning", "content": "hm"},
    {"type": "reasoning", "encrypted_content": 5},
    "hi",
]
BAD_PARTS: list[Any] = [{"type": "text"}, {"type": "image_url"}, {"type": "image_url", "image_url": "cat.png"}, {}]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CompletionRequest", {"model": "bing-balanced"}),
        ("CompletionRequest", CHAT | {"model": ""}),
        ("CompletionRequest", CHAT | {"messages": []}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "robot", "content": "a"}]}),
        *(("CompletionRequest", CHAT | {"messages": [{"role": "user", "content": [part]}]}) for part in BAD_PARTS),
        *(("CompletionRequest", CHAT | {"response_format": given}) for given in ("json", {"type": "yaml"}, {})),
        *(("CompletionRequest", CHAT | {"tools": tools}) for tools in BAD_TOOLS),
        *(("CompletionRequest", CHAT | {"tools": TOOLS, "tool_choice": choice}) for choice in ("any", {"type": "x"})),
        ("CompletionRequest", CHAT | {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}),
        ("CompletionRequest", CHAT | {"top_logprobs": 21}),
        ("CompletionRequest", CHAT | {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        *(("CompletionRequest", CHAT | {"stop": stop}) for stop in (1, [1], ["a"] * 5, ["a" * 1025])),
        *(("CompletionRequest", CHAT | {name: 3}) for name in accepted_values(CompletionFields)),
        *(("ResponseRequest", RESPONSE | {name: 3}) for name in accepted_values(ResponseFields)),
        *(("ResponseRequest", RESPONSE | {name: [3]}) for name in option_types()),
        *(("ResponseRequest", RESPONSE | {"text": {"format": given}}) for given in ("json", {"type": "yaml"}, {})),
        ("ResponseRequest", RESPONSE | {"text": {"format": {"type": "json_schema", "schema": {}}}}),
        *(("ResponseRequest", RESPONSE | {"tools": tools}) for tools in BAD_FLAT_TOOLS),
        *(
            ("ResponseRequest", RESPONSE | {"tools": FLAT_TOOLS, "tool_choice": choice})
            for choice in ("any", {"type": "mcp"}, {"type": "function"}, {"type": "allowed_tools", "mode": "auto"})
        ),
        *(("ResponseRequest", RESPONSE | {name: [3]}) for name in RESPONSE_OPTIONS if name not in ("unknown",)),
        *(("ResponseRequest", RESPONSE | {"input": [item]}) for item in BAD_ITEMS),
        *(("ResponseRequest", RESPONSE | {"top_logprobs": count}) for count in (-1, 21)),
        ("ResponseRequest", RESPONSE | {"truncation": "middle"}),
        ("ResponseRequest", RESPONSE | {"input": []}),
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
