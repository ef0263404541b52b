"""The fields of a request that no client sent, or under another name, and which of them a server's refusal names."""

import re
from collections.abc import Collection, Set
from typing import Final

STREAM_OPTIONS, TEMPERATURE, STREAM = "stream_options", "temperature", "stream"
# The two names of one parameter.
MAX_TOKENS: Final = "max_tokens"
MAX_COMPLETION_TOKENS: Final = "max_completion_tokens"
# Places inside of a request's lists, and words such as `tool-streaming-2025`: a client's, whatever their names say.
# Each begins where a word does: to try that in the middle of a long one would take a worker the square of its length.
_PLACE = r"[\w.]*(?:\.\d+|\[\d+\])[\w.\[\]]*"
_PLACES = re.compile(rf"(?<![\w.]){_PLACE}|\b\w+(?:-\w+){{2,}}\b(?:{_PLACE})?")
# What an earlier answer was signed with, or is encrypted; the second is Gemini's, which it wants with calls.
SIGNATURE, THOUGHT_SIGNATURE = "signature", "thought_signature"
# The ids of calls, in the form in which another server made them.
CALL_IDS = "tool_call_id"
# More specific ones first.
_PARAMETERS = {
    STREAM_OPTIONS: re.compile(r"\b(?:stream[_ ]options|include_usage)\b", re.IGNORECASE),
    TEMPERATURE: re.compile(r"\btemperature\b", re.IGNORECASE),
    MAX_COMPLETION_TOKENS: re.compile(r"\bmax_completion_tokens\b"),
    MAX_TOKENS: re.compile(r"\bmax_tokens\b"),
    STREAM: re.compile(r"\bstream(?:ing|ed)?\b", re.IGNORECASE),
}
OWN_PARAMETERS = frozenset({*_PARAMETERS, CALL_IDS})
# Those of which only the name may be refused: their value is the client's.
_NAMES = frozenset({MAX_TOKENS, MAX_COMPLETION_TOKENS})
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


# What says that a field is not known, whatever its value is.
_NAME_REFUSED = re.compile(
    r"unknown|unrecogni[sz]ed|unsupported|unexpected|no such|deprecated|extra (?:inputs?|fields?)|additional propert"
    r"|(?:not|n't|n’t|never) (?:\w+ )?(?:support|permit|allow|accept|recogni)",
    re.IGNORECASE,
)
# What says that a field is known, but not with such a value.
_VALUE_REFUSED = re.compile(
    r"\b(?:must|should) be\b|\bexpect(?:s|ed|ing)\b|\binvalid (?:type|value|input)\b"
    r"|\bnot of type\b|\bcannot unmarshal\b",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"\bsignatures?\b[^.]{0,80}\b(?:invalid|mismatch|not valid|corrupt\w*|expired|verif\w+|decrypt\w*)"
    r"|\b(?:invalid|corrupt\w*|expired|mismatch\w*|verify|decrypt)\b[^.]{0,60}\b(?:thought_)?signatures?\b"
    r"|\bencrypted[ _](?:content|reasoning)\b[^.]{0,80}\b(?:could not|can't|cannot|invalid|not)\b",
    re.IGNORECASE,
)

# Mistral takes only ids of nine letters and digits, OpenAI none above 40 characters.
_CALL_IDS = re.compile(
    r"\btool[ _]call[ _]id\b.{0,100}\bmust be\b|\btool_calls?(?:\[\d+\]\.|_)id\b.{0,20}\btoo long\b", re.IGNORECASE
)
_THOUGHT_SIGNATURE = re.compile(r"\bthought[_ ]signature\b", re.IGNORECASE)


def find_parameter(params: Collection[str], message: str, fields: Collection[str] = ()) -> str:
    """Return which field is refused: one that the error names, else the first that its message names.

    It is one of ours, a signature, the ids of calls, or one of `fields`, which earlier answers contained. One of those
    whose value is refused counts as a signature: only this request is at fault, and no other client's.
    """
    names = [param.rpartition(".")[2] for param in params]
    if (field := next((name for name in reversed(names) if name in fields), None)) is not None:
        by_value = _VALUE_REFUSED.search(message) is not None and _NAME_REFUSED.search(message) is None
        return SIGNATURE if by_value else field
    if _CALL_IDS.search(message):
        return CALL_IDS
    if _THOUGHT_SIGNATURE.search(message):
        return THOUGHT_SIGNATURE
    if fields and _SIGNATURE.search(message):
        return SIGNATURE
    found = _find_own(params, message)
    if found in _NAMES and _NAME_REFUSED.search(message) is None:
        return ""
    return found or _find_field(message, frozenset(fields))


def refuses_name(message: str) -> bool:
    """Return whether a message says that a field is not known, whatever its value is."""
    return _NAME_REFUSED.search(message) is not None


def _find_own(params: Collection[str], message: str) -> str:
    for param in params:
        for name, pattern in _PARAMETERS.items():
            if pattern.fullmatch(param.rpartition(".")[2]) or param.startswith(f"{name}."):
                return name
    text = _PLACES.sub("", _before_known(message))
    # An error that names another field may quote its value, which is a client's.
    if any(params) or _REFUSED.search(text) is None:
        return ""
    matches = {name: match.start() for name, pattern in _PARAMETERS.items() if (match := pattern.search(text))}
    return min(matches, key=matches.__getitem__, default="")


def _find_field(message: str, fields: Set[str]) -> str:
    """Return the field that a message says isn't known; a single word has to stand in quotes or behind a dot."""
    text = _before_known(message)
    if _NAME_REFUSED.search(text) is None:
        return ""
    for name in sorted(fields - _PARAMETERS.keys(), key=len, reverse=True):
        before = r"\b" if "_" in name else r"[\"'`.]"
        # A client's names may be long, and to make a pattern of one takes a thousand times as long as to look for it.
        if name in text and re.search(rf"{before}{re.escape(name)}\b", text):
            return name
    return ""


def _before_known(message: str) -> str:
    """Return a message without the list of fields that are known."""
    known = _KNOWN.search(message)
    return message if known is None else message[: known.start()]
