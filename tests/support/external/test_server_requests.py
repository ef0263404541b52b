"""Calls and their results are read alike from requests of both APIs."""

import pytest

from tests.support.external.server_requests import (
    Request,
    SentCall,
    SentResult,
    offered_tools,
    sent_calls,
    sent_results,
    sent_thoughts,
)

FUNCTION = {"name": "time", "arguments": '{"zone": "Europe/Oslo"}'}
OPENAI: Request = {
    "tools": [{"type": "function", "function": {"name": "time"}}],
    "messages": [
        {"role": "user", "content": "When?"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "tool_calls": [{"id": "1", "type": "function", "function": FUNCTION}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "noon"},
    ],
}
ANTHROPIC: Request = {
    "tools": [{"name": "time", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "When?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "tool_use", "id": "1", "name": "time", "input": {"zone": "Europe/Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "noon"}]}],
        },
    ],
}


@pytest.mark.parametrize("request_", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def test_a_round_of_tools_is_read(request_: Request) -> None:
    assert offered_tools(request_) == ["time"]
    assert sent_calls(request_) == [SentCall("1", "time", {"zone": "Europe/Oslo"})]
    assert sent_results(request_) == [SentResult("1", "noon")]
    assert sent_thoughts(request_) == ["Hm."]


def test_a_request_may_lack_tools() -> None:
    bare: Request = {"tools": None, "messages": [{"role": "user", "content": "hi"}]}
    assert (offered_tools(bare), sent_calls(bare), sent_results(bare), sent_thoughts(bare)) == ([], [], [], [])
