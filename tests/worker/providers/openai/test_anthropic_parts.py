"""Blocks and options of the Anthropic API at servers of the OpenAI API."""

from typing import Any

import pytest

from wire.prompt import Message, Opaque, Prompt, Text
from worker.providers.openai.anthropic_parts import render_block, render_options
from worker.providers.openai.chat_request import RequestForm, render_prompt

PDF = {"type": "base64", "media_type": "application/pdf", "data": "x"}
NOTE = {"type": "text", "text": "[container_upload]"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
            {"type": "text", "text": "a"},
        ),
        (
            {
                "type": "document",
                "title": "t",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "x"},
            },
            {"type": "file", "file": {"filename": "t", "file_data": "data:application/pdf;base64,x"}},
        ),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, {"type": "text", "text": "[document]"}),
        (
            {"type": "document", "source": {"type": "content", "content": "a"}},
            {"type": "text", "text": "a"},
        ),
        (
            {"type": "search_result", "source": "u", "content": [{"type": "text", "text": t} for t in "ab"]},
            {"type": "text", "text": "a\n\nb"},
        ),
        (
            {"type": "search_result", "source": "u", "content": [1, {"text": 2}]},
            {"type": "text", "text": "[search_result]"},
        ),
        ({"type": "search_result", "source": "u"}, {"type": "text", "text": "[search_result]"}),
    ],
)
def test_a_block_becomes_a_part_or_a_note(block: dict[str, Any], part: dict[str, Any]) -> None:
    assert render_block(block) == part


@pytest.mark.parametrize(
    ("options", "rendered"),
    [
        ({"seed": 1}, {"seed": 1}),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 8192}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 8193}}, {"reasoning_effort": "high"}),
        ({"thinking": {"budget_tokens": 8193}, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"reasoning_effort": "max"}, {"reasoning_effort": "high"}),
    ],
)
def test_thinking_becomes_an_effort(options: dict[str, Any], rendered: dict[str, Any]) -> None:
    assert render_options(options) == rendered


def test_a_prompt_of_that_api_has_nothing_of_it_left() -> None:
    used = Opaque({"type": "server_tool_use", "id": "s", "name": "n", "input": {}})
    messages = (
        Message("user", (Text("a"), Opaque({"type": "container_upload", "file_id": "f"}))),
        Message("assistant", (Text("b"), used)),
    )
    options = {"thinking": {"budget_tokens": 1}, "stop": list("abcdef")}
    assert render_prompt(Prompt("anthropic", "m", messages, options=options), RequestForm()) == {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "[container_upload]"}],
            },
            {"role": "assistant", "content": "b"},
        ],
        "reasoning_effort": "low",
        "stop": list("abcd"),
    }
