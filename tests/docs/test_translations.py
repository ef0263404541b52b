"""The Chinese site says all that the English one says, in its own punctuation and with one word for one thing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from markdown_it import MarkdownIt

from tests.support.docs.chinese import find_half_width, find_rejected_words, prose
from tests.support.processes import ROOT

LOCALE = ROOT / "docs" / "locale" / "zh_CN" / "LC_MESSAGES"
PAGES = [path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]


def read(path: Path) -> Catalog:
    """Return a catalogue; a page without one has an empty one."""
    if not path.exists():
        return Catalog()
    with path.open("rb") as file:
        return read_po(file)


def needs_translation(message: Message) -> bool:
    """Whether a message has words, apart from code and addresses."""
    return re.search(r"[A-Za-z]{2}", prose(str(message.id))) is not None


def translated(page: str) -> Iterator[Message]:
    """The messages of a page that have a translation."""
    return (message for message in read(LOCALE / f"{page}.po") if message.id and message.string)


def count_bold(text: object) -> int:
    """How many parts of a text are bold: two asterisks between a full stop and a word would be shown as they are."""
    inline = (token for block in MarkdownIt().parse(str(text)) for token in block.children or ())
    return sum(token.type == "strong_open" for token in inline)


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
def test_what_is_bold_in_english_is_bold_in_chinese(page: str) -> None:
    assert [message.id for message in translated(page) if count_bold(message.id) != count_bold(message.string)] == []


@pytest.mark.parametrize("page", PAGES)
def test_punctuation_beside_chinese_characters_is_chinese(page: str) -> None:
    assert [place for message in translated(page) for place in find_half_width(str(message.string))] == []


@pytest.mark.parametrize("page", PAGES)
def test_one_thing_has_one_word_in_chinese(page: str) -> None:
    for message in translated(page):
        assert find_rejected_words(str(message.string)) == [], message.string
