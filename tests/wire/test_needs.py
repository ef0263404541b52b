from typing import Any

import pytest

from wire.needs import ABILITIES, ignored_parameters, needs_of
from wire.prompt import AnswerFormat, Message, Picture, Prompt, Text, Tool, ToolChoice

USER, ASSISTANT = Message("user", (Text("hi"),)), Message("assistant", (Text("hello"),))
SEEN = Message("user", (Text("look"), Picture("https://example.com/a.png")))
FUNCTION, SEARCH = Tool("function", "add"), Tool("web_search", extra={"type": "web_search"})


def prompt(*messages: Message, **fields: Any) -> Prompt:
    return Prompt("chat", "m", messages or (USER,), **fields)


@pytest.mark.parametrize(
    ("asked", "needs"),
    [
        (prompt(), set()),
        (prompt(tools=(FUNCTION,)), {"tools"}),
        (prompt(tools=(FUNCTION,), tool_choice=ToolChoice("none")), set()),
        (prompt(tools=(SEARCH,)), set()),
        (prompt(tools=(SEARCH,), tool_choice=ToolChoice("required")), {"tools"}),
        (prompt(format=AnswerFormat("json")), {"json"}),
        (prompt(SEEN), {"pictures"}),
        (prompt(SEEN, ASSISTANT, USER), set()),
        (prompt(options={"logprobs": True}), {"logprobs"}),
        (prompt(options={"logprobs": False, "temperature": 1}), set()),
    ],
)
def test_what_is_asked_decides_what_a_model_must_be_able_to_do(asked: Prompt, needs: set[str]) -> None:
    assert needs_of(asked) == needs


def test_a_model_that_can_take_everything_ignores_nothing() -> None:
    asked = prompt(tools=(SEARCH,), options={"temperature": 1, "reasoning_effort": "low", "max_tokens": 5})
    assert ignored_parameters(asked, ABILITIES, text_only=False) == ()


def test_wishes_that_a_model_lacks_the_ability_for_are_named() -> None:
    asked = prompt(options={"temperature": 0, "seed": None, "reasoning_effort": "low", "max_tokens": 5})
    assert ignored_parameters(asked, ABILITIES - {"sampling"}, text_only=False) == ("temperature",)
    assert ignored_parameters(asked, ABILITIES - {"reasoning"}, text_only=False) == ("reasoning_effort",)


def test_a_model_that_takes_only_text_ignores_every_wish() -> None:
    asked = prompt(tools=(SEARCH,), options={"temperature": 1, "max_tokens": 5, "stop": ["x"]})
    assert ignored_parameters(asked, frozenset(), text_only=True) == ("temperature", "max_tokens", "tools")


def test_no_server_takes_what_only_responses_have() -> None:
    asked = Prompt("responses", "m", (USER,), tools=(SEARCH,), options={"truncation": "auto", "max_tokens": 5})
    assert ignored_parameters(asked, ABILITIES, text_only=False) == ("truncation", "tools")
    assert ignored_parameters(asked, frozenset(), text_only=True) == ("max_tokens", "truncation", "tools")
    assert ignored_parameters(prompt(options={"truncation": "auto"}), ABILITIES, text_only=False) == ()
