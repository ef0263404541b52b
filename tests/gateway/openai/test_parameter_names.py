"""The names of parameters in each dialect."""

from gateway.openai.parameter_names import field_that_needs, own_names
from wire.needs import ABILITIES


def test_options_have_their_own_names_in_responses() -> None:
    options = ("temperature", "max_tokens", "reasoning_effort", "verbosity")
    assert own_names("responses", options) == ("temperature", "max_output_tokens", "reasoning", "text.verbosity")
    assert own_names("chat", options) == options


def test_options_have_their_own_names_in_messages() -> None:
    options = ("top_k", "stop", "reasoning_effort")
    assert own_names("anthropic", options) == ("top_k", "stop_sequences", "output_config.effort")


def test_each_ability_is_needed_by_a_field() -> None:
    assert {each for each in ABILITIES if field_that_needs("chat", each) is None} == {"pictures"}
    assert all(field_that_needs(dialect, each) for each in ABILITIES for dialect in ("responses", "anthropic"))
    assert (field_that_needs("chat", "json"), field_that_needs("responses", "json")) == (
        "response_format",
        "text.format",
    )
