"""The fields of objects, and how deep what is passed on may be nested."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import MAX_DEPTH, check_depth, read_field, read_filled, read_object, rest_of


def nested(depth: int) -> Any:
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def test_a_boolean_is_no_number() -> None:
    with pytest.raises(InvalidRequestError):
        read_field({"n": True}, "n", int)


def test_a_field_of_an_object_is_named_with_it() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_field({"n": True}, "n", int, "a[1]")
    assert caught.value.fault.param == "a[1].n"


def test_an_object_and_a_filled_string_are_what_they_should_be() -> None:
    assert read_filled(read_object({"a": "b"}, "x"), "a", "x") == "b"
    for value, param in (("b", "x"), ({}, "x.a"), ({"a": 5}, "x.a"), ({"a": ""}, "x.a")):
        with pytest.raises(InvalidRequestError) as caught:
            read_filled(read_object(value, "x"), "a", "x")
        assert caught.value.fault.param == param


def test_the_rest_is_what_is_unknown_and_not_null() -> None:
    assert rest_of({"a": 1, "b": 0, "c": None}, ("a",)) == {"b": 0}


def test_what_is_nested_too_deeply_is_refused() -> None:
    check_depth(nested(MAX_DEPTH - 1), "a")
    with pytest.raises(InvalidRequestError) as caught:
        rest_of({"b": nested(MAX_DEPTH + 1)}, (), "a")
    assert caught.value.fault.param == "a.b"
