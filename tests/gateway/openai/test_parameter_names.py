"""The names of parameters in each dialect."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.parameter_names import MAX_NAMED, field_that_needs, own_names
from wire.needs import ABILITIES
from wire.prompt import Message, Prompt, Text

ASKED = (Message("user", (Text("hi"),)),)


def test_options_have_their_own_names_in_responses() -> None:
    options = {"temperature": 1, "max_tokens": 5, "reasoning_effort": "low", "verbosity": "low"}
    own = ("temperature", "max_output_tokens", "reasoning", "text.verbosity")
    assert own_names(Prompt("responses", "m", ASKED, options=options), options) == own
    assert own_names(Prompt("chat", "m", ASKED, options=options), options) == tuple(options)


def test_options_have_their_own_names_in_messages() -> None:
    options = {"top_k": 1, "stop": ["a"], "reasoning_effort": "low"}
    prompt = Prompt("anthropic", "m", ASKED, options=options)
    assert own_names(prompt, options) == ("top_k", "stop_sequences", "output_config.effort")


def test_an_unknown_field_with_an_options_name_is_named_as_it_was_sent() -> None:
    assert own_names(Prompt("anthropic", "m", ASKED, extra={"stop": ["a"]}), ["stop"]) == ("stop",)


@given(st.lists(st.text(), max_size=40))
def test_whatever_clients_call_their_fields_a_header_can_take(names: list[str]) -> None:
    named = own_names(Prompt("anthropic", "m", ASKED), ["a_b.c", "日本", "a\r\nb: c", "x" * 65, *names])
    assert named[0] == "a_b.c"
    assert len(named) <= MAX_NAMED
    assert re.fullmatch(r"[!-~ ]*", ", ".join(named))
    assert not {"日本", "a\r\nb: c", "x" * 65} & {*named}


def test_each_ability_is_needed_by_a_field() -> None:
    assert {each for each in ABILITIES if field_that_needs("chat", each) is None} == {"pictures"}
    assert all(field_that_needs(dialect, each) for each in ABILITIES for dialect in ("responses", "anthropic"))
    assert (field_that_needs("chat", "json"), field_that_needs("responses", "json")) == (
        "response_format",
        "text.format",
    )
