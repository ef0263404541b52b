"""A text that arrives in parts."""

# So many parts are joined to one: a part alone takes 60 bytes beside its text, and may have one character.
_MOST = 512


class TextParts:
    """Parts of a text; millions of one character take hardly more memory than the text itself. `text` is all of it."""

    __slots__ = ("_joined", "_latest")

    def __init__(self, text: str = "") -> None:
        self._joined: list[str] = []
        self._latest = [text] if text else []

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join([*self._joined, *self._latest])

    def append(self, text: str) -> None:
        """Add a part."""
        self._latest.append(text)
        if len(self._latest) >= _MOST:
            self._joined.append("".join(self._latest))
            self._latest.clear()

    def __bool__(self) -> bool:
        """Whether there is a part."""
        return bool(self._latest or self._joined)
