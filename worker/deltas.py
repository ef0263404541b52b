"""From an upstream's growing text to what clients are sent: citation marks taken out, only what is new passed on."""

import re

from wire.messages import Delta, Replace

# `[^1^]` and its like: non-greedy, within one line.
_MARK = re.compile(r"\[\^[^\n]*?\^\]")
# The beginning of a mark that may be completed by what comes next, at the very end of a text.
_OPEN = re.compile(r"\[(?:\^[^\n]*)?\Z")

_SURROGATE = re.compile("[\ud800-\udfff]")


def without_marks(text: str) -> str:
    """The text without citation marks and without halves of surrogate pairs, which can't be encoded."""
    return _encodable(_MARK.sub("", text))


def settled(text: str) -> str:
    """The part of a growing text that what comes next can't change any more, cleaned.

    Text from an open `[^` on is held back, and so is half a surrogate pair at the end.
    """
    bare = _MARK.sub("", text)
    opened = _OPEN.search(bare)
    return _encodable(bare[: opened.start()] if opened else bare)


def _encodable(text: str) -> str:
    """Halves of a surrogate pair that met become one character; a half that is left alone is dropped."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


class Deltas:
    """What was sent of one answer, and what comes next."""

    def __init__(self) -> None:
        self.sent = ""

    def grow(self, text: str) -> Delta | Replace | None:
        """The event for the upstream's whole text so far; None if it shows nothing new."""
        return self._step(settled(text), final=False)

    def end(self, text: str) -> Delta | Replace | None:
        """The event for the upstream's whole final text, nothing held back."""
        return self._step(without_marks(text), final=True)

    def _step(self, text: str, *, final: bool) -> Delta | Replace | None:
        if text == self.sent or (not final and self.sent.startswith(text)):
            return None
        before, self.sent = self.sent, text
        return Delta(text[len(before) :]) if text.startswith(before) else Replace(text)
