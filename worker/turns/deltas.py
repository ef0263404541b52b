"""Deltas of a provider's growing text."""

from wire.messages import Delta, Replace
from worker.providers.surrogates import ends_in_half, join_surrogates

# How many characters before the consumed position must be unchanged for a text to count as a continuation.
_TAIL = 256


class DeltaBuilder:
    """The text sent of one answer, and the next event for it.

    Half a surrogate pair at the end is held back; all else is sent code point for code point. For speed, only the new
    text and the last 256 characters before it are compared, so a change further back is sent with the end, or together
    with another change that is seen.
    """

    def __init__(self) -> None:
        self._sent: list[str] = []
        # How much of the provider's text is consumed, the last characters of that, and half a pair at its very end.
        self._consumed = 0
        self._tail = ""
        self._half = ""

    @property
    def text(self) -> str:
        """The text that was sent."""
        return "".join(self._sent)

    def update(self, text: str) -> Delta | Replace | None:
        """Return the event for the provider's whole text so far; None if there is nothing new to send."""
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
        """Return the event for the provider's whole final text, with nothing held back."""
        self._consumed, self._tail, self._half = len(text), text[-_TAIL:], ""
        return self._change_to(join_surrogates(text))

    def _consume(self, text: str) -> str:
        """Consume and return the new part of `text`, up to half a surrogate pair at its end."""
        new = self._half + text[self._consumed :]
        cut = len(new) - ends_in_half(new)
        self._consumed, self._tail, self._half = len(text), text[-_TAIL:], new[cut:]
        return join_surrogates(new[:cut])

    def _change_to(self, whole: str) -> Delta | Replace | None:
        before = self.text
        if whole == before:
            return None
        self._sent = [whole]
        return Delta(whole[len(before) :]) if whole.startswith(before) else Replace(whole)
