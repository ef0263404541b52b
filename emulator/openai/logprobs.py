"""How likely the tokens of an answer were, as this API reports it; a fragment counts as a token."""

import zlib

from emulator.json_text import Json


def describe(text: str, alternatives: int) -> Json:
    """Return the log probability of a token, the same for the same text, and so many alternatives to it."""
    others = [_entry(f"{text}{number}" if number else text, number) for number in range(alternatives)]
    return {"content": [{**_entry(text, 0), "top_logprobs": others}], "refusal": None}


def _entry(token: str, place: int) -> Json:
    data = token.encode("utf-8", "replace")
    return {"token": token, "logprob": -(zlib.crc32(data) % 100) / 1000 - place, "bytes": list(data)}
