"""What only one server understands comes back to it as it was, and to no other."""

import base64
import hmac
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.blocks import fold
from wire.prompt import Message, Opaque, Picture, Prompt, Text, Thought, ToolCall
from worker.providers.envelope import MOST_OPENED, PREFIX, Envelopes

OWN = Envelopes(b"s" * 32, "openai", "gemini-3-pro")
OTHERS = [replace(OWN, kind="anthropic"), replace(OWN, model="gpt-5"), replace(OWN, secret=b"t" * 32)]
NAMES = st.sampled_from(
    ["thought_signature", "signature", "encrypted_content", "data", "type", "reasoning_details", "google", "text"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["reasoning.encrypted", "bcg"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
EXTRAS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(st.text())
def test_a_string_comes_out_of_its_envelope_as_it_was(value: str) -> None:
    wrapped = OWN.wrap(value)
    assert wrapped.startswith(PREFIX)
    assert OWN.unwrap(wrapped) == value
    assert [other.unwrap(wrapped) for other in OTHERS] == [None] * 3


@given(st.text(max_size=8), st.data())
def test_a_changed_envelope_is_none(value: str, data: st.DataObject) -> None:
    wrapped = OWN.wrap(value)
    place = data.draw(st.integers(len(PREFIX), len(wrapped) - 1))
    other = data.draw(st.sampled_from("Aa0_-.é").filter(lambda character: character != wrapped[place]))
    changed = wrapped[:place] + other + wrapped[place + 1 :]
    assert OWN.unwrap(changed) is None
    assert OWN.unwrap(wrapped[:place]) is None
    assert OWN.unwrap(f"{wrapped}x") is None


def test_parts_of_a_string_each_have_an_envelope_and_join() -> None:
    assert OWN.unwrap(OWN.wrap("ab") + OWN.wrap("c")) == "abc"
    assert OWN.unwrap(OWN.wrap("ab") + OTHERS[0].wrap("c")) is None


@given(EXTRAS)
def test_extra_fields_come_back_as_they_were(extra: dict[str, Any]) -> None:
    assert OWN.open(OWN.seal(extra)) == extra


SIGNED = st.dictionaries(
    st.sampled_from(["signature", "x"]),
    st.text(max_size=3) | st.dictionaries(st.sampled_from(["thought_signature", "y"]), st.text(max_size=3), max_size=2),
    max_size=2,
)


@given(SIGNED, SIGNED)
def test_envelopes_of_folded_fields_are_opened_too(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert OWN.open(fold(OWN.seal(first), OWN.seal(second))) == fold(first, second)


@pytest.mark.parametrize(
    "extra",
    [
        {"extra_content": {"google": {"thought_signature": "SECRET"}}},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "SECRET"}, {"signature": "SECRET"}]},
        {"encrypted_content": "SECRET"},
        {"content_parts": [{"type": "redacted_thinking", "data": "SECRET"}]},
    ],
)
def test_what_a_server_signed_or_encrypted_leaves_in_an_envelope(extra: dict[str, Any]) -> None:
    sealed = OWN.seal(extra)
    assert "SECRET" not in str(sealed)
    assert PREFIX in str(sealed)


def test_other_data_leaves_as_it_is() -> None:
    extra = {"audio": {"data": "AAAA"}, "reasoning_details": [{"text": "hm", "data": 7}]}
    assert OWN.seal(extra) == extra


@pytest.mark.parametrize("other", OTHERS)
def test_for_another_server_the_object_around_it_is_left_out(other: Envelopes) -> None:
    sealed = OWN.seal(
        {
            "extra_content": {"google": {"thought_signature": "s", "x": 1}, "y": 2},
            "reasoning_details": [
                {"type": "reasoning.encrypted", "data": "d"},
                {"type": "reasoning.text", "text": "hm"},
            ],
            "encrypted_content": "e",
            "reasoning": "hm",
        }
    )
    assert other.open(sealed) == {
        "extra_content": {"y": 2},
        "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
        "reasoning": "hm",
    }


def test_a_clients_own_strings_remain() -> None:
    extra = {"signature": "mine", "thought_signature": "bcg", "x": [{"encrypted_content": "y"}]}
    assert OWN.open(extra) == extra


def test_what_is_nested_too_deep_stays_as_it_is() -> None:
    deep: Any = "x"
    for _ in range(2000):
        deep = {"a": [deep]}
    assert OWN.open({"b": deep}) == {"b": deep}


def test_a_prompt_is_opened_in_all_its_places() -> None:
    sealed = OWN.seal({"extra_content": {"google": {"thought_signature": "s"}}})
    thinking = {"type": "thinking", "thinking": "hm", "signature": OWN.wrap("t")}
    messages = (
        Message("user", (Text("q"), Picture("data:,"))),
        Message(
            "assistant", (Opaque(thinking), Text("a")), calls=(ToolCall("c", "f", "{}", extra=sealed),), extra=sealed
        ),
    )
    prompt = Prompt("chat", "m", messages)
    opened = {"extra_content": {"google": {"thought_signature": "s"}}}
    assert OWN.open_prompt(prompt).messages == (
        messages[0],
        Message(
            "assistant",
            (Opaque({"type": "thinking", "thinking": "hm", "signature": "t"}), Text("a")),
            calls=(ToolCall("c", "f", "{}", extra=opened),),
            extra=opened,
        ),
    )
    emptied: dict[str, Any] = {"extra_content": {}}
    assert OTHERS[0].open_prompt(prompt).messages[1] == Message(
        "assistant", (Text("a"),), calls=(ToolCall("c", "f", "{}", extra=emptied),), extra=emptied
    )


def test_what_is_signed_but_no_envelopes_content_is_none() -> None:
    content = base64.urlsafe_b64encode(b"[1]").rstrip(b"=").decode()
    assert OWN.unwrap(f"{PREFIX}{content}.{OWN._sign(content)}") is None


def test_a_thought_of_another_server_is_left_out() -> None:
    thought = Thought("hm", {"signature": OWN.wrap("s")})
    prompt = Prompt("anthropic", "m", (Message("assistant", (thought, Text("a"))),))
    assert OWN.open_prompt(prompt).messages[0].parts == (Thought("hm", {"signature": "s"}), Text("a"))
    assert all(other.open_prompt(prompt).messages[0].parts == (Text("a"),) for other in OTHERS)


def test_of_very_many_envelopes_those_of_the_newest_messages_are_opened() -> None:
    thought = {"reasoning_details": [{"signature": OWN.wrap("s")}, {"signature": OWN.wrap("t")}], "x": "y"}
    messages = tuple(Message("assistant", extra=thought) for _ in range(MOST_OPENED // 2 + 2))
    opened = [message.extra["reasoning_details"] for message in OWN.open_prompt(Prompt("chat", "m", messages)).messages]
    assert opened[:2] == [[], []]
    assert opened[2:] == [[{"signature": "s"}, {"signature": "t"}]] * (MOST_OPENED // 2)


@pytest.mark.parametrize("text", ["{}", "{}" * 1000])
def test_envelopes_of_somebody_else_are_not_all_looked_at(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = [text.replace("{}", f"{PREFIX}A.{'B' * 43}")] * (3 * MOST_OPENED)
    digests = Counter[str]()
    digest = hmac.digest

    def counting(key: bytes, content: bytes, name: Any) -> bytes:
        digests["made"] += 1
        return digest(key, content, name)

    monkeypatch.setattr(hmac, "digest", counting)
    prompt = Prompt("chat", "m", (Message("assistant", extra={"foo": forged}),))
    assert OWN.open_prompt(prompt).messages[0].extra == {"foo": []}
    assert 0 < digests["made"] <= MOST_OPENED + 1
