from typing import Any

import pytest

from wire.prompt import Dialect, Message, Prompt
from worker.providers.anthropic.request_options import OptionsForm, find_effort, write_options

EFFORT, BUDGET = OptionsForm(), OptionsForm("budget")


def written(
    options: dict[str, Any],
    form: OptionsForm = EFFORT,
    dialect: Dialect = "chat",
    *,
    forced: bool = False,
    thinkable: bool = True,
    ignored: tuple[str, ...] = (),
) -> dict[str, Any]:
    prompt = Prompt(dialect, "m", (Message("user"),), options=options, ignored=ignored)
    return write_options(prompt, form, forced=forced, thinkable=thinkable)


def limited(**options: Any) -> dict[str, Any]:
    return {"max_tokens": 8192, **options}


def test_an_answer_always_has_a_limit() -> None:
    assert written({}) == limited()
    assert written({"max_tokens": 5}) == {"max_tokens": 5}


def test_a_limit_stays_within_what_the_model_allows_unless_its_client_knows_the_api() -> None:
    form = OptionsForm(most_tokens=100)
    assert written({}, form) == written({"max_tokens": 500}, form) == {"max_tokens": 100}
    assert written({"max_tokens": 500}, form, "anthropic") == {"max_tokens": 500}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"temperature": 0.5, "top_k": 3}, {"temperature": 0.5, "top_k": 3}),
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"seed": 1, "logit_bias": {}, "verbosity": "low", "prompt_cache_key": "k"}, {}),
        ({"stop": ["a", " ", "\n", ""]}, {"stop_sequences": ["a"]}),
        ({"stop": ["\n"]}, {}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"service_tier": "flex"}, {}),
    ],
)
def test_parameters_go_out_as_far_as_the_api_has_them(options: dict[str, Any], sent: dict[str, Any]) -> None:
    assert written(options) == limited(**sent)


def test_what_the_model_can_not_take_stays_away() -> None:
    assert written({"temperature": 0.5}, ignored=("temperature",)) == limited()
    refused = OptionsForm(omitted={"temperature", "service_tier"})
    assert written({"temperature": 0.5, "service_tier": "auto", "top_k": 2}, refused) == limited(top_k=2)


@pytest.mark.parametrize(
    ("effort", "level"),
    [("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "max"), ("odd", "high")],
)
def test_an_effort_lets_the_model_think_as_much(effort: str, level: str) -> None:
    sent = written({"reasoning_effort": effort, "temperature": 0.5, "top_p": 0.5, "top_k": 5})
    assert sent == limited(output_config={"effort": level}, thinking={"type": "adaptive"})
    assert written({"reasoning": {"effort": effort}}) == sent


@pytest.mark.parametrize("options", [{"reasoning_effort": "none"}, {"reasoning": {}}, {"reasoning": {"effort": 1}}])
def test_no_effort_is_nothing(options: dict[str, Any]) -> None:
    assert written(options) == limited()
    assert find_effort(options) == ""


@pytest.mark.parametrize(
    ("options", "budget", "limit"),
    [
        ({"reasoning_effort": "minimal"}, 1024, 9216),
        ({"reasoning_effort": "medium"}, 8192, 16384),
        ({"reasoning_effort": "high"}, 16384, 24576),
        ({"reasoning_effort": "high", "max_tokens": 2000}, 1999, 2000),
    ],
)
def test_models_without_efforts_get_a_budget_within_the_limit(options: dict[str, Any], budget: int, limit: int) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert written(options, BUDGET) == {"max_tokens": limit, "thinking": thinking}


def test_without_room_for_a_budget_the_model_does_not_think() -> None:
    assert written({"reasoning_effort": "high", "max_tokens": 1024}, BUDGET) == {"max_tokens": 1024}
    assert written({"reasoning_effort": "high"}, OptionsForm("budget", 4096))["max_tokens"] == 4096
    assert written({"reasoning_effort": "high"}, OptionsForm("none")) == limited()


def test_where_a_tool_is_forced_the_model_is_not_asked_to_think() -> None:
    assert written({"reasoning_effort": "xhigh"}, forced=True) == limited(output_config={"effort": "high"})
    assert written({"reasoning_effort": "high"}, BUDGET, forced=True) == limited()


def test_amid_calls_without_a_thought_there_is_no_budget() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert written({"thinking": thinking}, thinkable=False) == limited()
    adaptive = {"type": "adaptive"}
    assert written({"thinking": adaptive}, thinkable=False) == limited(thinking=adaptive)


def test_the_apis_own_object_goes_before_an_effort() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2048}
    assert written({"thinking": thinking, "reasoning_effort": "low", "top_k": 1}) == limited(thinking=thinking)
    assert written({"thinking": {"type": "disabled"}, "top_k": 1}) == limited(thinking={"type": "disabled"}, top_k=1)


def test_a_client_that_knows_the_api_gets_what_it_asked_for() -> None:
    options = {
        "max_tokens": 5,
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 2,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "reasoning_effort": "xhigh",
    }
    effort = {"output_config": {"effort": "xhigh"}}
    sent = {name: value for name, value in options.items() if name != "reasoning_effort"}
    assert written(options, dialect="anthropic") == {**sent, **effort}
