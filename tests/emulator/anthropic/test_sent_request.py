from typing import Any

import pytest

from tests.support.emulator.anthropic_bodies import HI, read, text, wrong
from tests.support.emulator.event_reply import Json

TOOL: Json = {"name": "f", "input_schema": {"type": "object"}}
NAME = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no max_tokens": ({"max_tokens": ...}, "max_tokens: Field required"),
    "no messages": ({"messages": ...}, "messages: Field required"),
    "no model": ({"model": ...}, "model: Field required"),
    "no tokens": ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    "tokens as text": ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    "an unknown field": ({"n": 1}, "n: Extra inputs are not permitted"),
    "a wrong field before an unknown one": ({"a": 1, "max_tokens": ...}, "max_tokens: Field required"),
    "an unknown role": (
        {"messages": [{"role": "tool", "content": "a"}]},
        "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ),
    "a field of a message": (
        {"messages": [HI | {"name": "bob"}]},
        "messages.0.name: Extra inputs are not permitted",
    ),
    "content that is none": (
        {"messages": [{"role": "user", "content": 7}]},
        "messages.0.content: Input should be a valid list",
    ),
    "a hot temperature": ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
    "a stop alone": ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    "a name that is none": ({"tools": [TOOL | {"name": "a b"}]}, f"tools.0.custom.name: {NAME}"),
    "a name that is too long": ({"tools": [TOOL | {"name": "a" * 129}]}, f"tools.0.custom.name: {NAME}"),
    "no schema": ({"tools": [{"name": "f"}]}, "tools.0.custom.input_schema: Field required"),
    "a schema of a text": (
        {"tools": [TOOL | {"input_schema": {"type": "string"}}]},
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    "a tool in OpenAI's form": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        "tools.0.named.type: String should match pattern '^[a-z_]+_\\d{8}$'",
    ),
    "a field of a tool": (
        {"tools": [TOOL | {"parameters": {}}]},
        "tools.0.custom.parameters: Extra inputs are not permitted",
    ),
    "a choice in OpenAI's form": ({"tool_choice": "auto"}, "tool_choice: Input should be a valid dictionary"),
    "an unknown choice": (
        {"tool_choice": {"type": "required"}},
        "tool_choice: Input tag 'required' found using 'type' does not match any of the expected tags:",
    ),
    "a choice without its name": ({"tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
    "a small budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "no budget": ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    "an unknown mark": (
        {"system": [text("s") | {"cache_control": {"type": "persistent"}}]},
        "system.0.cache_control.type: Input should be 'ephemeral'",
    ),
    "an unknown life": (
        {"system": [text("s") | {"cache_control": {"type": "ephemeral", "ttl": "2h"}}]},
        "system.0.cache_control.ttl: Input should be '5m' or '1h'",
    ),
    "an unknown user field": ({"metadata": {"name": "x"}}, "metadata.name: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_wrong_is_named(name: str) -> None:
    changes, message = WRONG[name]
    assert wrong(HI, **changes).startswith(message)


def test_every_field_of_the_api_is_taken() -> None:
    read(
        HI,
        system="Be brief.",
        stop_sequences=["x"],
        temperature=1,
        metadata={"user_id": "u1"},
        service_tier="auto",
        output_config={"effort": "low"},
        tools=[TOOL | {"strict": True, "description": "d"}, {"type": "web_search_20250305", "name": "web_search"}],
        tool_choice={"type": "none"},
        thinking={"type": "adaptive"},
        cache_control={"type": "ephemeral"},
    )
