"""Citation marks in Bing's text, which are not part of the answer."""

import re

from wire.reasons import Reason
from worker.errors import UpstreamError

# `[^1^]` and the like: non-greedy, within one line. The group matches a mark that isn't closed in its line, together
# with the rest of the line: that can't contain a mark, and a search from each `[^` in it would be quadratic.
_MARK = re.compile(r"\[\^[^\n]*?\^\]|(\[\^[^\n]*)")
# The largest number of marks in a text; real ones have some dozens, and each takes a microsecond.
MOST_MARKS = 5000
# How many characters before the consumed position must be unchanged for a text to count as a continuation.
_TAIL = 256


def check_marks(text: str) -> None:
    """Check the number of marks. UpstreamError `transport.toobig` for more than any answer has."""
    if text.count("[^") > MOST_MARKS:
        raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "a text of very many citation marks")


def remove_citations(text: str) -> str:
    """Return the text without citation marks."""
    return _MARK.sub(r"\1", text) if "[^" in text else text


class CitationFilter:
    """Removes the citation marks of one answer while it grows.

    For speed, only the new text and the last 256 characters before it are compared, so a change further back is seen
    together with the next change that is nearer.
    """

    def __init__(self) -> None:
        self._clean = ""
        self._consumed = 0
        self._tail_start = 0
        self._tail = ""

    def update(self, text: str) -> str:
        """Return the whole text so far without marks, up to where more text can't change it."""
        if not text.startswith(self._tail, self._tail_start):
            self._clean, self._consumed = "", 0
        end = _stable_end(text, self._consumed)
        self._clean += remove_citations(text[self._consumed : end])
        self._consumed, self._tail_start = end, max(0, end - _TAIL)
        # With the first character that is held back: it may be what made the one before it sure, as in "[[".
        self._tail = text[self._tail_start : end + 1]
        return self._clean


def _stable_end(text: str, start: int) -> int:
    """Return the end of the part, from `start`, that more text can't change: no mark is open before it."""
    if text.find("[", start) < 0:
        return len(text)
    line = max(start, text.rfind("\n", start) + 1)
    for mark in _MARK.finditer(text, line):
        if mark[1]:
            return mark.start()
    return len(text) - text.endswith("[", line)
