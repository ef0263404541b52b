"""The rules of Chinese texts: their punctuation, and one word for one thing."""

import re
import tomllib

from tests.support.processes import ROOT

GLOSSARY = tomllib.loads((ROOT / "docs" / "locale" / "glossary.toml").read_text(encoding="utf-8"))
_REJECTED = {word: right for right, *others in GLOSSARY.values() for word in others}
# Other punctuation than Chinese has, beside a Han character.
_HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:!?(]|[\u4e00-\u9fff]\.(?![\w/])|[,;:!?)] ?[\u4e00-\u9fff]")
# Code, addresses of links and pictures, and HTML: they keep theirs.
_VERBATIM = re.compile(r"``.+?``|`[^`]*`|\]\([^)]*\)|<[^>]+>")


def prose(text: str) -> str:
    """Return a text without what is not its author's punctuation."""
    return _VERBATIM.sub("`", text)


def find_half_width(text: str) -> list[str]:
    """Return the places with punctuation that isn't Chinese."""
    return _HALF_WIDTH.findall(prose(text))


def find_rejected_words(text: str) -> list[str]:
    """Return the words that the glossary rejects, each with the right one."""
    return [f"{word}: {right}" for word, right in _REJECTED.items() if word in prose(text)]
