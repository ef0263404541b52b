"""The fields of a body, and the conversation that they name."""

from typing import Any

import pytest

from gateway.openai import validation
from gateway.openai.errors import InvalidRequestError


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[1]", b'"a"', b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": [-Infinity]}'),
        *(b'{"a": 1e999}', b'{"a": [-1.5E+400]}'),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        validation.parse_fields(body)


def test_only_numbers_that_are_too_large_are_refused() -> None:
    assert validation.parse_fields(b'{"a": [1e-999, 1e300, "1e999"]}') == {"a": [0.0, 1e300, "1e999"]}


@pytest.mark.parametrize(
    "body", ['"temperature": 1', '"temperature": null', '"seed": 5', '"user": "x"', '"unknown": [1]']
)
def test_what_has_no_effect_is_accepted(body: str) -> None:
    assert validation.parse_fields(f"{{{body}}}".encode())


@pytest.mark.parametrize("name", validation.WITHOUT_EFFECT)
def test_what_has_no_effect_must_be_of_its_kind_all_the_same(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validation.parse_fields(f'{{"{name}": [true]}}'.encode())
    assert caught.value.fault.param == name


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a": ["\\ud83d\\ude00"]}', "\N{GRINNING FACE}"),
        (b'{"a": ["\\ud83d"]}', "\ufffd"),
        (b'{"a": ["\xed\xa0\xbd"]}', "\ufffd"),
        ('{"a": ["\ud83d"]}'.encode("utf-16-le", "surrogatepass"), "\ufffd"),
    ],
)
def test_half_a_surrogate_pair_is_replaced_wherever_it_is(body: bytes, text: str) -> None:
    assert validation.parse_fields(body) == {"a": [text]}


def test_only_what_is_allowed_is_not_refused() -> None:
    good: list[object] = [None, 1, []]
    bad: list[object] = [2, True, "1", [1]]
    for value in good:
        validation.reject_unsupported({"n": value}, "n", (1, []))
    for value in bad:
        with pytest.raises(InvalidRequestError) as caught:
            validation.reject_unsupported({"n": value}, "n", (1, []))
        assert (caught.value.fault.param, caught.value.fault.code) == ("n", "unsupported_parameter")


@pytest.mark.parametrize(
    ("fields", "header", "named"),
    [
        ({}, None, None),
        ({"metadata": None, "conversation": None}, None, None),
        ({"metadata": {"conversation_id": "m"}}, None, "m"),
        ({"metadata": {"conversation_id": "m"}, "conversation": "c"}, None, "c"),
        ({"metadata": {"conversation_id": "m"}, "conversation": {"id": "c"}}, None, "c"),
        ({"metadata": {"conversation_id": "m"}, "conversation": "c"}, "h", "h"),
    ],
)
def test_the_header_names_a_conversation_before_the_field_and_the_metadata(
    fields: dict[str, Any], header: str | None, named: str | None
) -> None:
    assert validation.read_conversation_id(fields, header, 1) == named


@pytest.mark.parametrize(
    "fields", [{"conversation": "short"}, {"conversation": {}}, {"conversation": 5}, {"conversation": "x" * 256}]
)
def test_a_name_that_can_not_be_one_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validation.read_conversation_id(fields, None, 16)
    assert caught.value.fault.param == "conversation"


def test_a_name_that_can_not_be_one_is_refused_behind_a_sound_one_too() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validation.read_conversation_id({"conversation": [None]}, "the header that counts", 16)
    assert caught.value.fault.param == "conversation"
