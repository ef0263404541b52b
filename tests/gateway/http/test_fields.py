"""The parts of a request that several protocols share."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.errors import RefusedError
from gateway.http.fields import (
    idempotency_key,
    join_surrogates,
    parse_object,
    parse_query,
    parse_wait,
    preferred_wait,
)
from wire.reasons import Reason


def request(query: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "query_string": query.encode(), "headers": raw})


def test_the_last_of_repeated_parameters_counts() -> None:
    assert parse_query(b"question=a&question=b&style=") == {"question": "b", "style": ""}


def test_a_query_may_be_percent_encoded_or_raw_utf8() -> None:
    assert parse_query("question=%E4%BD%A0+好".encode()) == {"question": "你 好"}


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert parse_query(b"question=%ff\xff") == {"question": "\ufffd\ufffd"}


def test_a_query_of_too_many_fields_is_refused() -> None:
    with pytest.raises(RefusedError):
        parse_query(b"a=1&" * 2000)


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_a_query_gives_back_what_was_encoded(fields: dict[str, str]) -> None:
    assert parse_query(urlencode(fields).encode()) == fields


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0.0),
        ("wait=5", 5.0),
        ('respond-async, WAIT = "30"; foo', 30.0),
        ("wait=99999", 300.0),
        ("wait=-1", 0.0),
        ("wait=soon", 0.0),
        ("await=5", 0.0),
        ("wait=1234567", 0.0),
    ],
)
def test_a_client_may_prefer_to_wait(prefer: str, seconds: float) -> None:
    assert parse_wait(prefer) == seconds


def test_all_prefer_headers_count_as_one() -> None:
    raw = [(b"prefer", b"respond-async"), (b"prefer", b"wait=7")]
    assert preferred_wait(Request({"type": "http", "query_string": b"", "headers": raw})) == 7
    assert preferred_wait(request()) == 0


def test_the_headers_key_comes_before_the_querys() -> None:
    assert idempotency_key(request("idempotency_key=query", idempotency_key="header")) == "header"
    assert idempotency_key(request("idempotency_key=query")) == "query"
    assert idempotency_key(request("idempotency_key=query", idempotency_key="")) == "query"


@pytest.mark.parametrize("query", ["", "idempotency_key=", "style=a"])
def test_without_a_key_there_is_none(query: str) -> None:
    assert idempotency_key(request(query)) is None


def test_an_object_is_returned_whole() -> None:
    assert parse_object('{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize("data", ["", "[1]", "null", "{", "[" * 100_000])
def test_what_is_no_object_is_refused(data: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_object(data)
    assert refused.value.reason == Reason.REQUEST_FORMAT


@pytest.mark.parametrize("as_sent", [str, str.encode], ids=["message", "body"])
def test_an_object_of_too_many_values_is_refused_before_it_is_parsed(as_sent: Callable[[str], str | bytes]) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_object(as_sent(json.dumps({"question": "x", "other": [[]] * 30_000})))
    assert refused.value.reason == Reason.REQUEST_FORMAT


def test_a_large_question_of_nothing_but_marks_is_no_object_of_many_values() -> None:
    text = json.dumps({"question": '[{,"\ud83d' * 50_000})
    assert parse_object(text) == json.loads(text)


def test_surrogate_pairs_are_joined_and_lone_ones_replaced() -> None:
    assert join_surrogates("\ud83d\ude00 \ud83d") == "\U0001f600 \ufffd"
