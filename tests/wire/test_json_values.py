"""How many values a JSON text may hold."""

import json
import sys
import tracemalloc

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.validation import parse_fields
from wire.json_values import MAX_VALUES, has_too_many_values, unpacked_bytes
from wire.threads import LARGE


@pytest.mark.parametrize(
    ("value", "too_many"),
    [
        ([1] * MAX_VALUES, True),
        ([[]] * (MAX_VALUES // 2 + 1), True),
        ([{"a": "b"}] * (MAX_VALUES // 2 + 1), True),
        ([1] * (MAX_VALUES - 10), False),
        ("[{," * MAX_VALUES, False),
        ('"\\,"' * MAX_VALUES, False),
        (["\\\\", ",," * MAX_VALUES], False),
    ],
    ids=["numbers", "lists", "objects", "few", "in a text", "in a text with quotes", "behind a backslash"],
)
def test_values_are_counted_and_what_is_in_texts_is_not(value: object, too_many: bool) -> None:
    assert has_too_many_values(json.dumps(value).encode()) == too_many


def test_a_body_of_too_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_fields(b'{"a":[' + b"1," * MAX_VALUES)
    assert refused.value.fault.body.error.code == "request_too_large"


@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_text_without_an_end_is_searched_once(end: bytes) -> None:
    assert not has_too_many_values(b'{"' + b',\\"' * MAX_VALUES * 2 + end)


@pytest.mark.parametrize("text", ['""' * MAX_VALUES + "," * 100, "[" + '"a",' * 50 + '""' * MAX_VALUES])
def test_strings_without_anything_between_them_are_not_all_counted(text: str) -> None:
    assert has_too_many_values(text.encode(), 50)


@pytest.mark.parametrize("value", [[1] * 50, {str(number): {"b": "x"} for number in range(20)}, [["a"]] * 20])
def test_values_that_are_strings_are_not_too_many(value: object) -> None:
    text = json.dumps([value, "x" * LARGE]).encode()
    values = 3 + text.count(b",") + text.count(b"[") + text.count(b"{")
    assert not has_too_many_values(text, values)


@pytest.mark.parametrize(
    "value",
    [{"a": "b"}, {}, [], {"a": {}}, 1000, "ab", {"a": [{}, [1, "b"]]}],
    ids=json.dumps,
)
def test_many_values_take_about_as_much_memory_as_is_counted(value: object) -> None:
    text = json.dumps([value] * 20_000, separators=(",", ":")).encode()
    tracemalloc.start()
    parsed = json.loads(text)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(parsed) == 20_000
    assert taken < 2 * unpacked_bytes(text)


@pytest.mark.parametrize("size", [10, 3 * LARGE])
def test_a_text_counts_as_its_length_at_least(size: int) -> None:
    text = json.dumps({"messages": [{"role": "user", "content": "[{," * size + "x" * 500 * size}]}).encode()
    assert unpacked_bytes(text) == len(text)


def test_what_is_inside_strings_of_a_large_text_is_no_value() -> None:
    text = json.dumps(["[{," * LARGE]).encode()
    assert unpacked_bytes(text) == len(text)


@pytest.mark.parametrize("first", ["", "é", "ÿ", "Ā", "你", "\uffff", "😀", "\U0010ffff"])
@pytest.mark.parametrize("escaped", ["", '"', "\\"])
def test_a_string_counts_as_what_its_widest_character_makes_of_all(first: str, escaped: str) -> None:
    strings = [first + escaped + "a" * 100_000, "b" * 100_000, "é" * 100_000, "你" * 100_000]
    text = json.dumps(strings, ensure_ascii=False).encode()
    taken = sum(max(len(string.encode()), sys.getsizeof(string)) for string in strings)
    assert taken - 400 < unpacked_bytes(text) < taken + 400
