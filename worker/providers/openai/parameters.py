"""The fields of a request that no client sent, and which of them a server's refusal names."""

import re
from collections.abc import Iterable

STREAM_OPTIONS, TEMPERATURE, STREAM = "stream_options", "temperature", "stream"
# More specific ones first.
_PARAMETERS = {
    STREAM_OPTIONS: re.compile(r"\b(?:stream[_ ]options|include_usage)\b", re.IGNORECASE),
    TEMPERATURE: re.compile(r"\btemperature\b", re.IGNORECASE),
    STREAM: re.compile(r"\bstream(?:ing|ed)?\b", re.IGNORECASE),
}
# What says that a field is refused, and not that it is one of those which are known.
_REFUSED = re.compile(
    r"unknown|unrecogni[sz]ed|unsupported|unexpected|invalid|deprecated|disallowed|not implemented|no such"
    r"|(?:not|n't|n’t|never) (?:\w+ )?(?:support|permit|allow|accept|valid|recogni|available|enabled)"
    r"|extra (?:inputs?|fields?)|additional propert|only (?:the )?default|(?:can|may) only|must be|should be"
    r"|(?:can|may) ?not be|can't be|out of range",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"expected one of|(?:allowed|supported|valid|known|permitted) (?:fields|parameters|values|keys)", re.I
)


def find_parameter(params: Iterable[str], message: str) -> str:
    """Return which of our own fields is refused: one that the error names, else the first that its message names."""
    for param in params:
        for name, pattern in _PARAMETERS.items():
            if pattern.fullmatch(param.rpartition(".")[2]) or param.startswith(f"{name}."):
                return name
    text = message
    if (known := _KNOWN.search(message)) is not None:
        text = message[: known.start()]
    if _REFUSED.search(text) is None:
        return ""
    matches = {name: match.start() for name, pattern in _PARAMETERS.items() if (match := pattern.search(text))}
    return min(matches, key=matches.__getitem__, default="")
