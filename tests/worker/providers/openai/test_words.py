"""A server's own words, for the client."""

import pytest

from worker.providers.openai.words import clean_words

KEY = "sk-test-0123456789"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Unsupported value: 'top_k'.", "Unsupported value: 'top_k'."),
        ("  two\nlines\t\x00 ", "two lines"),
        (f"key {KEY} is wrong", "key […] is wrong"),
        ("Incorrect API key provided: sk-proj-abc****wxyz.", "Incorrect […]"),
        ("got 'Bearer abc.def-123'", "got '[…]'"),
        ("organization org-AbC123 has no access", "organization […] has no access"),
        ("token eyJhbGciOiJI.eyJzdWIi.c2ln is old", "token […] is old"),
        ("see http://user:pass@10.0.0.1:8000/v1?key=abc#x", "see http://10.0.0.1:8000/v1"),
        ("api_key=abc123, model=m", "[…], model=m"),
        ("half \ud83d a pair", "half a pair"),
        ("", ""),
    ],
)
def test_words_are_one_line_without_secrets(message: str, words: str) -> None:
    assert clean_words(message, KEY) == words


def test_long_words_are_cut() -> None:
    words = clean_words("word " * 1000)
    assert len(words) == 300
    assert words.endswith("…")


def test_a_key_of_a_few_characters_hides_no_words() -> None:
    assert clean_words("no key", "no") == "no key"
