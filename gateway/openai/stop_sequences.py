"""Stop sequences: an answer's text ends before the first one, also while it is streamed."""

from collections.abc import Sequence


class _Beginning:
    """How much of the beginning of a sequence a text ends with, by the algorithm of Knuth, Morris and Pratt (1977).

    So each character is looked at once, however long and uniform sequence and text are.
    """

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence
        # By how much of it has matched: with how much the sequence begins again at the end of that.
        self._shorter = [0, 0]
        self.length = 0
        for character in sequence[1:]:
            self.length = self._extend(character)
            self._shorter.append(self.length)
        self.length = 0

    def add(self, text: str) -> None:
        """Add a text behind which the sequence isn't whole."""
        most = len(self._sequence) - 1
        if len(text) > most:
            # What is before its last characters is no part of the beginning.
            self.length = 0
            text = text[len(text) - most :]
        for character in text:
            self.length = self._extend(character)

    def _extend(self, character: str) -> int:
        length = self.length
        while length and character != self._sequence[length]:
            length = self._shorter[length]
        return length + (character == self._sequence[length])


class StopSequences:
    """Passes text on up to the first stop sequence. Text that may be the beginning of one is held back.

    `hit`: the text ended at a sequence. `found` is that one, '' for none so far; of several at one place the longest.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._beginnings = [_Beginning(sequence) for sequence in sequences]
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
        for beginning in self._beginnings:
            beginning.add(text)
        return self._release(len(self._held) - max(beginning.length for beginning in self._beginnings))

    def flush(self) -> str:
        """Return the text that was held back, after the last text. What follows begins no sequence with it."""
        self._begin_anew()
        return self._release(0 if self.hit else len(self._held))

    def discard(self) -> None:
        """Drop the text that was held back: it is no longer part of the answer."""
        self._held = ""
        self._begin_anew()

    def _begin_anew(self) -> None:
        for beginning in self._beginnings:
            beginning.length = 0

    def _release(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        return shown
