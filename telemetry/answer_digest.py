"""How logs and the console name an answer: by a digest of its id, since whoever has the id itself has the answer."""

import hashlib

# 48 bits: two of a day's answers hardly ever share one.
LENGTH = 12


def digest_answer(answer: str) -> str:
    """Return the digest of an answer's id: the beginning of its SHA-256, the same in every process."""
    return hashlib.sha256(answer.encode("utf-8", "replace")).hexdigest()[:LENGTH]
