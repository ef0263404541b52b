import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.openai import text_vectors
from emulator.openai.text_vectors import DIMENSIONS, embed, embed_tokens, encode


def nearness(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


@given(st.text(max_size=60), st.integers(1, DIMENSIONS))
def test_a_vector_has_the_length_one(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(nearness(vector, vector), 1)
    assert vector == embed(text, dimensions)


@pytest.mark.parametrize("dimensions", [32, 256, DIMENSIONS])
def test_texts_that_share_words_are_near(dimensions: int) -> None:
    texts = ("a cat sat on a mat", "The cat is on the mat.", "shares fell sharply today")
    one, like, other = (embed(text, dimensions) for text in texts)
    assert nearness(one, like) > nearness(one, other) + 0.1


def test_a_shorter_vector_is_the_beginning_of_the_longer_one() -> None:
    short, long = embed("cats and dogs", 64), embed("cats and dogs")[:64]
    assert nearness(short, [value / math.sqrt(nearness(long, long)) for value in long]) == pytest.approx(1)


def test_tokens_have_vectors_of_their_own() -> None:
    assert embed_tokens([1, 2]) == embed_tokens([2, 1]) != embed_tokens([1, 3])


def test_base64_holds_floats_of_four_bytes() -> None:
    vector = embed("cats", 8)
    assert list(struct.unpack("<8f", base64.b64decode(encode(vector)))) == pytest.approx(vector)
    assert text_vectors.encode([]) == ""
