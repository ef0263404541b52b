"""Deltas of an upstream's growing text, without citation marks."""

import re

from wire.messages import Delta, Replace

# `[^1^]` and the like: non-greedy, within one line. The group matches a mark that isn't closed in its line, together
# with the rest of the line: that can't contain a mark, and a search from each `[^` in it would be quadratic.
_MARK = re.compile(r"\[\^[^\n]*?\^\]|(\[\^[^\n]*)")

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH_SURROGATES = ("\ud800", "\udbff")

# How many characters before the consumed position must be unchanged for a text to count as a continuation.
_TAIL = 256


def strip_citations(text: str) -> str:
    """Return the text without citation marks and without halves of surrogate pairs, which can't be encoded."""
    return _join_surrogates(_remove_marks(text))


def _remove_marks(text: str) -> str:
    return _MARK.sub(r"\1", text) if "[^" in text else text


def _join_surrogates(text: str) -> str:
    """Join the halves of surrogate pairs and drop single halves."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _stable_end(text: str, start: int) -> int:
    """Return the end of the part, from `start`, that more text can't change: no mark is open before it."""
    if text.find("[", start) < 0:
        return len(text)
    line = max(start, text.rfind("\n", start) + 1)
    for mark in _MARK.finditer(text, line):
        if mark[1]:
            return mark.start()
    return len(text) - text.endswith("[", line)


class DeltaBuilder:
    """The text sent of one answer, and the next event for it.

    Text from an open `[^` on is held back, and so is half a surrogate pair at the end. For speed, only the new text and
    the last 256 characters before it are compared, so a change further back is sent with the end, or together with
    another change that is seen.
    """

    def __init__(self) -> None:
        self._sent: list[str] = []
        # How much of the upstream's text is consumed, the last characters of that, and half a pair at its very end.
        self._consumed = 0
        self._tail = ""
        self._half = ""

    @property
    def text(self) -> str:
        """The text that was sent."""
        return "".join(self._sent)

    def update(self, text: str) -> Delta | Replace | None:
        """Return the event for the upstream's whole text so far; None if there is nothing new to send."""
        if text.startswith(self._tail, self._consumed - len(self._tail)):
            new = self._consume(text)
            if not new:
                return None
            self._sent.append(new)
            return Delta(new)
        fresh, sent = DeltaBuilder(), self.text
        whole = fresh._consume(text)
        if len(whole) < len(sent) and sent.startswith(whole):
            return None
        self._consumed, self._tail, self._half = fresh._consumed, fresh._tail, fresh._half
        return self._change_to(whole)

    def finish(self, text: str) -> Delta | Replace | None:
        """Return the event for the upstream's whole final text, with nothing held back."""
        self._consumed, self._tail, self._half = len(text), text[-_TAIL:], ""
        return self._change_to(strip_citations(text))

    def _consume(self, text: str) -> str:
        """Consume and return the new part of `text`, cleaned, up to where more text can't change it."""
        end = _stable_end(text, self._consumed)
        clean = self._half + _remove_marks(text[self._consumed : end])
        cut = len(clean) - (_HIGH_SURROGATES[0] <= clean[-1:] <= _HIGH_SURROGATES[1])
        self._consumed, self._tail, self._half = end, text[max(0, end - _TAIL) : end], clean[cut:]
        return _join_surrogates(clean[:cut])

    def _change_to(self, whole: str) -> Delta | Replace | None:
        before = self.text
        if whole == before:
            return None
        self._sent = [whole]
        return Delta(whole[len(before) :]) if whole.startswith(before) else Replace(whole)
