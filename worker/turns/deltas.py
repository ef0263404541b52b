"""From an upstream's growing text to what clients are sent: citation marks taken out, only what is new passed on."""

import re

from wire.messages import Delta, Replace

# `[^1^]` and its like: non-greedy, within one line. What begins like one and isn't ended in its line is the group,
# together with the rest of the line: there can't be a mark in it, and to look for one anew from each of its `[^` would
# cost the square of its length.
_MARK = re.compile(r"\[\^[^\n]*?\^\]|(\[\^[^\n]*)")

_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST_HALVES = ("\ud800", "\udbff")

# By how many characters, up to where it was, a text shows that it goes on.
_TAIL = 256


def strip_citations(text: str) -> str:
    """The text without citation marks and without halves of surrogate pairs, which can't be encoded."""
    return _encodable(_unmarked(text))


def _unmarked(text: str) -> str:
    return _MARK.sub(r"\1", text) if "[^" in text else text


def _encodable(text: str) -> str:
    """Halves of a surrogate pair that met become one character; a half that is left alone is dropped."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _sure(text: str, start: int) -> int:
    """Up to where a growing text, from `start` on, is sure: what comes next can't end a mark that begins before."""
    if text.find("[", start) < 0:
        return len(text)
    line = max(start, text.rfind("\n", start) + 1)
    for mark in _MARK.finditer(text, line):
        if mark[1]:
            return mark.start()
    return len(text) - text.endswith("[", line)


class DeltaBuilder:
    """What was sent of one answer, and what comes next.

    Text from an open `[^` on is held back, and so is half a surrogate pair at the end. Only what is behind the text so
    far is looked at, and the last of what went before. So a change far back, in a text that else goes on as it was, is
    told with the end, or together with another one that shows.
    """

    def __init__(self) -> None:
        self._sent: list[str] = []
        # How much of the upstream's text is done with, the last characters of that, and half a pair at its very end.
        self._done = 0
        self._tail = ""
        self._half = ""

    @property
    def text(self) -> str:
        """The text that was sent."""
        return "".join(self._sent)

    def update(self, text: str) -> Delta | Replace | None:
        """The event for the upstream's whole text so far; None if it shows nothing new."""
        if text.startswith(self._tail, self._done - len(self._tail)):
            more = self._take(text)
            if not more:
                return None
            self._sent.append(more)
            return Delta(more)
        anew, sent = DeltaBuilder(), self.text
        whole = anew._take(text)
        if len(whole) < len(sent) and sent.startswith(whole):
            return None
        self._done, self._tail, self._half = anew._done, anew._tail, anew._half
        return self._become(whole)

    def finish(self, text: str) -> Delta | Replace | None:
        """The event for the upstream's whole final text, nothing held back."""
        self._done, self._tail, self._half = len(text), text[-_TAIL:], ""
        return self._become(strip_citations(text))

    def _take(self, text: str) -> str:
        """What `text` brings behind what is done with, cleaned, as far as it is sure."""
        done = _sure(text, self._done)
        clean = self._half + _unmarked(text[self._done : done])
        cut = len(clean) - (_FIRST_HALVES[0] <= clean[-1:] <= _FIRST_HALVES[1])
        self._done, self._tail, self._half = done, text[max(0, done - _TAIL) : done], clean[cut:]
        return _encodable(clean[:cut])

    def _become(self, whole: str) -> Delta | Replace | None:
        before = self.text
        if whole == before:
            return None
        self._sent = [whole]
        return Delta(whole[len(before) :]) if whole.startswith(before) else Replace(whole)
