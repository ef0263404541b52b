"""A server's list of models."""

import json
from typing import Any

import pytest

from worker.errors import UpstreamError
from worker.providers.openai.model_list import parse_model_list


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"object": "list", "data": [{"id": "b"}, {"id": "a/c:latest", "owned_by": "x"}]}, ("b", "a/c:latest")),
        ({"data": []}, ()),
        ([{"id": "together"}], ("together",)),
        ({"models": [{"name": "gemma", "model": "gemma"}]}, ("gemma",)),
        (["plain", "\u202eplain", "pl\u200bain"], ("plain",)),
        ({"data": [{"id": "a"}, {"id": "a"}, {}, {"id": 1}, {"id": "a b"}, {"id": ""}, {"id": "x" * 257}, 3]}, ("a",)),
        ({"data": [{"id": str(number)} for number in range(2000)]}, tuple(map(str, range(1000)))),
    ],
)
def test_the_names_of_a_list_are_read_and_oddities_left_out(value: Any, names: tuple[str, ...]) -> None:
    assert parse_model_list(json.dumps(value).encode()) == names


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 100_000 + b'"a"]',
        b"",
        b"{}",
        b'{"data": 3}',
        b"<html>",
        b'"a"',
        b"[" * 100_000,
        b'{"data": [{"id": ',
    ],
)
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        parse_model_list(body)
    assert raised.value.reason == "upstream.protocol"
