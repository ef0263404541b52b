"""Which model a name means, and who may ask for it."""

import pytest

from gateway.answering.models import ModelChoice, Models, is_allowed
from gateway.errors import ModelNotFoundError
from wire.jobs import ANYBODY, Client
from wire.prompt import Prompt


def holder(*models: str) -> Client:
    return Client("key:alice", "alice", None, models)


@pytest.mark.parametrize("style", ["balanced", "creative", "precise"])
def test_each_style_is_a_model_that_takes_text_alone(style: str) -> None:
    choice = Models().resolve(f"bing-{style}", ANYBODY)
    assert (choice.name, choice.style, choice.text_only) == (f"bing-{style}", style, True)


def test_an_unknown_name_is_refused_with_those_most_like_it() -> None:
    with pytest.raises(ModelNotFoundError) as refused:
        Models().resolve("bing-creativ", ANYBODY)
    assert refused.value.nearest.split(", ")[0] == "bing-creative"


def test_a_long_name_is_cut_in_the_error() -> None:
    with pytest.raises(ModelNotFoundError) as refused:
        Models().resolve("x" * 1000, ANYBODY)
    assert refused.value.model == "x" * 64


def test_a_key_allows_the_models_of_its_patterns_and_knows_no_others() -> None:
    alice = holder("bing-c*", "gpt-4o")
    assert Models().names(alice) == ["bing-creative"]
    with pytest.raises(ModelNotFoundError) as refused:
        Models().resolve("bing-balanced", alice)
    assert refused.value.nearest == "bing-creative"
    with pytest.raises(ModelNotFoundError) as refused:
        Models().resolve("bing-balanced", holder("none"))
    assert refused.value.nearest == "-"


def test_in_a_pattern_nothing_but_the_star_is_special() -> None:
    assert is_allowed(holder("a[b]*"), "a[b]c")
    assert not is_allowed(holder("a[b]*"), "abc")
    assert not is_allowed(holder("a?c"), "abc")
    assert not is_allowed(holder("GPT"), "gpt")


def test_what_a_model_ignores_is_named() -> None:
    prompt = Prompt("chat", "m", (), options={"temperature": 1, "max_tokens": 9})
    assert ModelChoice("m", "balanced", text_only=True).ignored(prompt) == ("temperature", "max_tokens")
    assert ModelChoice("m", abilities=frozenset({"sampling"})).ignored(prompt) == ()
