from typing import Any

import pytest

from tests.support.emulator.anthropic_bodies import HI, read, text, user, wrong
from tests.support.emulator.event_reply import Json

TOOL: Json = {"name": "f", "input_schema": {"type": "object"}}
MARK: Json = {"cache_control": {"type": "ephemeral"}}
THINK: Json = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
FORCED = "Thinking may not be enabled when tool_choice forces tool use."

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two tools of one name": ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    "a choice of nothing": (
        {"tool_choice": {"type": "auto"}},
        "tool_choice: tool_choice may only be specified while providing tools",
    ),
    "a choice that isn't there": (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}},
        "Tool 'g' not found in provided tools",
    ),
    "too many tokens": (
        {"model": "stand-in-mini", "max_tokens": 9000},
        "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens for stand-in-mini",
    ),
    "a blank stop": ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    "a budget above the limit": (
        THINK | {"max_tokens": 2048},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    "thoughts with a temperature": (
        THINK | {"temperature": 0.5},
        "`temperature` may only be set to 1 when thinking is enabled.",
    ),
    "thoughts with top_p": (
        THINK | {"top_p": 0.5},
        "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
    ),
    "thoughts with top_k": (THINK | {"top_k": 5}, "`top_k` must be unset when thinking is enabled."),
    "thoughts with some tool": (THINK | {"tools": [TOOL], "tool_choice": {"type": "any"}}, FORCED),
    "thoughts with one tool": (THINK | {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}}, FORCED),
    "five marks": (
        {"system": [text("s") | MARK] * 3, "tools": [TOOL | MARK], "messages": [user(text("a") | MARK)]},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a field of a beta": ({"context_management": {"edits": []}}, "context_management: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_go_together_is_refused(name: str) -> None:
    changes, message = WRONG[name]
    assert wrong(HI, **changes) == message


RIGHT: dict[str, dict[str, Any]] = {
    "four marks": {"system": [text("s") | MARK] * 4},
    "a schema with such a property": {"tools": [TOOL | {"input_schema": {"type": "object", "properties": MARK}}]},
    "thoughts": THINK | {"temperature": 1, "top_p": 0.95},
    "no thoughts": {"thinking": {"type": "disabled"}, "temperature": 0.5, "top_k": 5},
    "a beta": {"context_management": {"edits": []}, "betas": "a-2025-01-01,context-management-2025-06-27"},
    "thoughts between calls": THINK | {"max_tokens": 2000, "betas": "interleaved-thinking-2025-05-14"},
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_goes_together_passes(name: str) -> None:
    read(HI, **RIGHT[name])
