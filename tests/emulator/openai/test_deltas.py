from typing import Any

import pytest

from emulator.blocks import AnswerBlock, fragments
from emulator.json_text import Json
from emulator.openai import deltas
from emulator.openai.server_styles import ORDINARY, SERVERS, ServerStyle
from emulator.openai.signatures import sign, sign_call

CALL = AnswerBlock("tool_call", '{"a":1}', id="c1", name="f")


def rendered(block: AnswerBlock, style: ServerStyle = ORDINARY, old: bool = False) -> list[Json]:
    """Return what the fragments of a block add to the message."""
    portions = fragments([block], whole=style.whole_calls)
    return [deltas.render(portion, style, "m", old) for portion in portions]


def call(delta: Json) -> Any:
    return delta["tool_calls"][0]


def test_a_call_is_named_first_and_its_arguments_follow() -> None:
    first, second = rendered(CALL)
    assert call(first) == {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert call(second) == {"index": 0, "function": {"arguments": '{"a":1}'}}


def test_a_custom_call_has_input() -> None:
    first, second = rendered(AnswerBlock("tool_call", "x = 1", id="c1", name="f", custom=True))
    assert call(first) == {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "f", "input": ""}}
    assert call(second) == {"index": 0, "custom": {"input": "x = 1"}}


def test_an_old_call_is_a_function_call() -> None:
    assert rendered(CALL, old=True) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a":1}'}},
    ]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("vllm", {"index": 0, "id": "c1", "type": "function", "function": {"name": "f"}}),
        ("ollama", {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}),
        ("ollama-old", {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}),
        ("mistral", {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}),
        (
            "gemini",
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "f", "arguments": '{"a":1}'},
                "extra_content": {"google": {"thought_signature": sign_call("m", "f", '{"a":1}')}},
            },
        ),
    ],
)
def test_servers_begin_a_call_in_their_own_way(server: str, expected: Json) -> None:
    assert call(rendered(CALL, SERVERS[server])[0]) == expected


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("deepseek", {"reasoning_content": "so"}),
        ("ollama", {"reasoning": "so"}),
        ("mistral", {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}]}),
        (
            "openrouter",
            {
                "content": "",
                "reasoning": "so",
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "so",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                        "signature": sign("m", "thought", "so"),
                    }
                ],
            },
        ),
    ],
)
def test_servers_have_thoughts_in_fields_of_their_own(server: str, expected: Json) -> None:
    assert rendered(AnswerBlock("reasoning", "so"), SERVERS[server]) == [expected]


def test_extra_fields_come_with_a_calls_name_and_with_the_end_of_all_else() -> None:
    first, second = rendered(AnswerBlock("tool_call", "{}", id="c1", name="f", extra={"x": 1}))
    assert (call(first)["x"], "x" in call(second)) == (1, False)
    start, end = rendered(AnswerBlock("text", "one two", extra={"x": 1}))
    assert (start, end) == ({"content": "one "}, {"content": "two", "x": 1})
    assert rendered(AnswerBlock("opaque", extra={"x": 1})) == [{"x": 1}]
    assert rendered(AnswerBlock("refusal", "no")) == [{"refusal": "no"}]


def test_gemini_signs_only_the_first_of_several_calls() -> None:
    portions = fragments([CALL, CALL], whole=True)
    calls = [call(deltas.render(portion, SERVERS["gemini"], "m", old=False)) for portion in portions]
    assert ["extra_content" in one for one in calls] == [True, False]
