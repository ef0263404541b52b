"""Stop sequences: the text up to the first one, while the text still comes."""

from collections.abc import Sequence


class StopSequences:
    """Lets text through up to a stop sequence. What may be the beginning of one is held back."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._held = ""
        self.hit = False

    def add(self, text: str) -> str:
        """What may be shown now that `text` has come; nothing after a hit."""
        if self.hit:
            return ""
        self._held += text
        found = [place for one in self._sequences if (place := self._held.find(one)) >= 0]
        if found:
            self.hit = True
            return self._let(min(found))
        return self._let(len(self._held) - self._undecided())

    def rest(self) -> str:
        """What was held back, now that no more text comes."""
        return self._let(0 if self.hit else len(self._held))

    def forget(self) -> None:
        """What was held back is no longer part of the text."""
        self._held = ""

    def _let(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        return shown

    def _undecided(self) -> int:
        """How much of the end may be the beginning of a sequence."""
        longest = min(max(map(len, self._sequences), default=1) - 1, len(self._held))
        for count in range(longest, 0, -1):
            if any(one.startswith(self._held[-count:]) for one in self._sequences):
                return count
        return 0
