"""The documented fields of requests, against those that are read."""

from typing import Any

import pytest

from gateway.docs import openapi
from tests.support.api_document import Document
from tests.support.gateway.anthropic_client import ask

DOCUMENT = Document(openapi.document())
REQUEST = {"$ref": "#/components/schemas/MessageRequest"}
CALL = {"type": "tool_use", "id": "c", "name": "add", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "4"}], "is_error": True}


@pytest.mark.parametrize(
    "fields",
    [
        {"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"tools": [{"name": "add", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}]},
        {"tool_choice": {"type": "tool", "name": "add", "disable_parallel_tool_use": True}},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high", "format": None}},
        {"messages": [{"role": "user", "content": [RESULT, {"type": "document", "source": {}}]}]},
        {"messages": [{"role": "assistant", "content": [CALL, {"type": "thinking", "thinking": "", "signature": ""}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]},
    ],
)
def test_what_is_read_is_documented(fields: dict[str, Any]) -> None:
    DOCUMENT.check(REQUEST, ask("hi") | fields)


@pytest.mark.parametrize("fields", [{"max_tokens": 0}, {"temperature": 2}, {"messages": []}, {"stop_sequences": "a"}])
def test_what_is_refused_is_not(fields: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="at"):
        DOCUMENT.check(REQUEST, ask("hi") | fields)
