"""Vectors of texts, near each other where the texts share words; the same text has always the same one."""

import base64
import hashlib
import math
import re
import struct
from collections import Counter
from collections.abc import Sequence

DIMENSIONS = 1536
NARROW = 64  # words differ in the first so many dimensions already, for vectors that are cut
WORD = re.compile(r"[\u3400-\u9fff]|\w+")
PLACES = 16  # of a word in all dimensions, and half as many in the narrow ones


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text, of length 1; a shorter one is a longer one's beginning."""
    return _embed(WORD.findall(text.lower()), dimensions)


def embed_tokens(tokens: Sequence[int], dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text that was sent as tokens."""
    return _embed([f"token {token}" for token in tokens], dimensions)


def encode(vector: Sequence[float]) -> str:
    """Return a vector in base64: 32-bit floats, the smallest byte first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _embed(words: Sequence[str], dimensions: int) -> list[float]:
    vector = [0.0] * DIMENSIONS
    for word, times in Counter(words).items():
        for place, sign in _places(word):
            vector[place] += sign * times
    vector = vector[:dimensions]
    length = math.sqrt(math.fsum(value * value for value in vector))
    if not length:
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in vector]


def _places(word: str) -> list[tuple[int, int]]:
    numbers = struct.unpack("<24H", hashlib.shake_128(word.encode("utf-8", "surrogatepass")).digest(48))
    wide = [(number // 2 % DIMENSIONS, 1 - number % 2 * 2) for number in numbers[:PLACES]]
    return wide + [(number // 2 % NARROW, 1 - number % 2 * 2) for number in numbers[PLACES:]]
