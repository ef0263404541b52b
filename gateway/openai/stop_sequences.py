"""Stop sequences: an answer's text ends before the first one, also while it is streamed."""

from collections.abc import Sequence


class StopSequences:
    """Passes text on up to the first stop sequence. Text that may be the beginning of one is held back.

    `hit`: the text ended at a sequence. `found` is that one, '' for none so far; of several at one place the longest.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._held = ""
        self.found = ""
        # Read several times with each piece of an answer.
        self.hit = False

    def add(self, text: str) -> str:
        """Add `text` and return what may be shown now; nothing after a hit."""
        if self.hit:
            return ""
        if not self._sequences:
            return text
        self._held += text
        places = [(place, sequence) for sequence in self._sequences if (place := self._held.find(sequence)) >= 0]
        if places:
            self.hit = True
            place, self.found = min(places, key=lambda found: (found[0], -len(found[1])))
            return self._release(place)
        return self._release(len(self._held) - self._undecided())

    def flush(self) -> str:
        """Return the text that was held back, after the last text."""
        return self._release(0 if self.hit else len(self._held))

    def discard(self) -> None:
        """Drop the text that was held back: it is no longer part of the answer."""
        self._held = ""

    def _release(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        return shown

    def _undecided(self) -> int:
        """Return how many characters at the end may be the beginning of a sequence."""
        longest = min(max(map(len, self._sequences), default=1) - 1, len(self._held))
        for count in range(longest, 0, -1):
            if any(sequence.startswith(self._held[-count:]) for sequence in self._sequences):
                return count
        return 0
