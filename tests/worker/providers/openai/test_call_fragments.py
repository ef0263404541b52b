"""Parts of calls, in the shapes in which servers send them."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.openai.call_fragments import (
    MOST_PLACES,
    CallFragment,
    JsonScanner,
    parse_calls,
    parse_legacy_call,
)

FUNCTION = {"name": "add", "arguments": '{"a":1}'}


@pytest.mark.parametrize(
    ("calls", "fragments"),
    [
        (
            [{"index": 0, "id": "c", "type": "function", "function": FUNCTION}],
            [CallFragment(0, "c", "add", '{"a":1}')],
        ),
        ([{"index": 1, "function": {"arguments": "x"}}], [CallFragment(1, arguments="x")]),
        ({"function": {"name": "add", "arguments": {"a": "é"}}}, [CallFragment(name="add", arguments='{"a":"é"}')]),
        ([{"name": "add", "arguments": None}], [CallFragment(name="add")]),
        (
            [{"index": "2", "id": None, "custom": {"name": "run", "input": "ls"}}],
            [CallFragment(2, name="run", arguments="ls", custom=True)],
        ),
        (
            [{"index": 0.0, "function": None, "extra_content": {"google": {"thought_signature": "s"}}, "x": None}],
            [CallFragment(0, extra={"extra_content": {"google": {"thought_signature": "s"}}})],
        ),
        ([{"index": True, "id": 7}, 7, None, "x"], [CallFragment()]),
        ([{"index": odd} for odd in (-1, 1e300, 2**64, MOST_PLACES, "1234567")], [CallFragment()] * 5),
        ("none", []),
        (None, []),
        (7, []),
    ],
)
def test_a_part_of_a_call_is_read_whatever_is_missing(calls: Any, fragments: list[CallFragment]) -> None:
    assert parse_calls(calls) == fragments


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (FUNCTION, [CallFragment(name="add", arguments='{"a":1}', legacy=True)]),
        ({"arguments": "x"}, [CallFragment(arguments="x", legacy=True)]),
        ([], []),
        ({}, []),
        (None, []),
    ],
)
def test_the_old_field_is_read_too(call: Any, fragments: list[CallFragment]) -> None:
    assert parse_legacy_call(call) == fragments


OBJECTS = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\{}[]\n'), max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(OBJECTS, st.lists(st.integers(0, 80), max_size=8))
def test_an_object_is_whole_at_its_end_and_not_before(value: dict[str, Any], cuts: list[int]) -> None:
    text = json.dumps(value)
    for end in range(len(text)):
        scanner = JsonScanner()
        scanner.feed(text[:end])
        assert not scanner.is_whole
    scanner = JsonScanner()
    for start, stop in itertools.pairwise(sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})):
        scanner.feed(text[start:stop])
    assert scanner.is_whole


@pytest.mark.parametrize("text", ["", "null", "7", "x", '{"a": "}'])
def test_what_is_no_object_is_never_whole(text: str) -> None:
    scanner = JsonScanner()
    scanner.feed(text)
    assert not scanner.is_whole
