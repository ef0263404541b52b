"""Tools that a server runs itself, in words."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.responses.hosted_items import describe_call, describe_output, is_call, is_output, screenshot_of


@pytest.mark.parametrize(
    ("kind", "item", "words"),
    [
        ("web_search_call", {"id": "ws_1"}, "[Called web_search]"),
        ("computer_call", {"action": {"type": "click"}}, '[Called computer: {"type":"click"}]'),
        ("apply_patch_call", {"operation": {"type": "delete"}}, '[Called apply_patch: {"type":"delete"}]'),
        ("file_search_call", {"queries": ["a"], "results": None}, '[Called file_search: ["a"]]'),
        ("code_interpreter_call", {"code": "1", "outputs": []}, "[Called code_interpreter: 1]"),
        ("mcp_call", {"name": "roll", "arguments": "{}", "output": "4"}, "[Called roll: {}]\n\n4"),
        ("mcp_approval_request", {"name": 5, "arguments": "{}"}, "[Called mcp_approval_request: {}]"),
    ],
)
def test_a_call_says_what_it_was_called_with_and_what_came(kind: str, item: Any, words: str) -> None:
    assert is_call(kind)
    assert describe_call(kind, item, "input[0]") == words


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"output": "2"}, "2"),
        ({"output": [{"text": "a"}, {"text": "b"}]}, "a\n\nb"),
        ({"output": {"code": 0}}, '{"code":0}'),
        ({"approve": True}, "true"),
        ({}, "null"),
    ],
)
def test_an_output_is_its_text_or_json(item: Any, words: str) -> None:
    assert describe_output(item, "input[0]") == words


def test_what_is_nested_too_deeply_is_refused_by_its_name() -> None:
    deep: Any = 0
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidRequestError) as caught:
        describe_call("mcp_call", {"arguments": "{}", "error": deep}, "input[0]")
    assert caught.value.fault.param == "input[0].error"


def test_kinds_are_known_by_their_ends() -> None:
    assert [is_output(kind) for kind in ("shell_call_output", "mcp_approval_response", "shell_call")] == [1, 1, 0]
    assert not is_call("message")


@pytest.mark.parametrize(
    ("output", "picture"),
    [
        ({"type": "computer_screenshot", "image_url": "https://e.org/a.png"}, "https://e.org/a.png"),
        ({"type": "computer_screenshot"}, None),
        ({"type": "other", "image_url": "https://e.org/a.png"}, None),
        ("text", None),
        (None, None),
    ],
)
def test_a_screenshot_has_an_address(output: Any, picture: str | None) -> None:
    assert screenshot_of({"output": output}) == picture
