"""The Chinese site says all that the English one says, in its own punctuation and with one word for one thing."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "docs" / "locale" / "zh_CN" / "LC_MESSAGES"
PAGES = [path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
GLOSSARY = tomllib.loads((ROOT / "docs" / "locale" / "glossary.toml").read_text(encoding="utf-8"))
# Other punctuation than Chinese has, beside a Han character.
_HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:!?(]|[\u4e00-\u9fff]\.(?![\w/])|[,;:!?)] ?[\u4e00-\u9fff]")
# Code, addresses of links and pictures, and HTML: they keep theirs.
_VERBATIM = re.compile(r"``.+?``|`[^`]*`|\]\([^)]*\)|<[^>]+>")


def read(path: Path) -> Catalog:
    """Return a catalogue; a page without one has an empty one."""
    if not path.exists():
        return Catalog()
    with path.open("rb") as file:
        return read_po(file)


def prose(text: str) -> str:
    """Return a text without what is not its author's punctuation."""
    return _VERBATIM.sub("`", text)


def needs_translation(message: Message) -> bool:
    """Whether a message has words, apart from code and addresses."""
    return re.search(r"[A-Za-z]{2}", prose(str(message.id))) is not None


def translated(page: str) -> Iterator[Message]:
    """The messages of a page that have a translation."""
    return (message for message in read(LOCALE / f"{page}.po") if message.id and message.string)


@pytest.mark.parametrize("page", PAGES)
def test_no_paragraph_of_a_page_is_missing_in_chinese(page: str, messages: Path) -> None:
    catalogue = read(LOCALE / f"{page}.po")
    missing = []
    for message in read(messages / f"{page}.pot"):
        if message.id and needs_translation(message):
            translation = catalogue.get(message.id)
            if translation is None or not translation.string or translation.fuzzy:
                missing.append(message.id)
    assert missing == [], "make translations, then translate"


@pytest.mark.parametrize("page", PAGES)
def test_code_and_links_are_the_same_in_both_languages(page: str) -> None:
    for message in translated(page):
        english, chinese = (
            sorted(set(re.findall(r"`[^`]+`|\]\([^)]*\)", str(text)))) for text in (message.id, message.string)
        )
        assert english == chinese, message.id


@pytest.mark.parametrize("page", PAGES)
def test_punctuation_beside_chinese_characters_is_chinese(page: str) -> None:
    wrong = [match[0] for message in translated(page) for match in _HALF_WIDTH.finditer(prose(str(message.string)))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES)
def test_one_thing_has_one_word_in_chinese(page: str) -> None:
    rejected = {word: right for right, *others in GLOSSARY.values() for word in others}
    for message in translated(page):
        used = [f"{word}: {rejected[word]}" for word in rejected if word in prose(str(message.string))]
        assert used == [], message.string
