"""The pages of the site, as they are written; the root's ARCHITECTURE.md and the examples are among them."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "gateway" / "docs" / "examples.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SENTENCE_ENDS_WITHIN_LINE = re.compile(r"(?<!e\.g)(?<!i\.e)[\w`)”\"][.!?] +[A-Z`“\"]")


def paragraphs(page: Path) -> Iterator[str]:
    """The lines of a page outside code, tables and headings, without the numbers of lists."""
    text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        if not line.lstrip().startswith(("|", "#", "![")):
            yield re.sub(r"^\d+\. ", "", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_line_holds_one_sentence(page: Path) -> None:
    crowded = [line for line in paragraphs(page) if _SENTENCE_ENDS_WITHIN_LINE.search(line)]
    assert crowded == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_of_code_is_fenced_and_names_its_language(page: Path) -> None:
    fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(fences[::2])
    assert not any(fences[1::2])
    outside = list(paragraphs(page))
    indented = [line for before, line in itertools.pairwise(outside) if not before and line.startswith("    ")]
    assert indented == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_heading_does_not_begin_like_an_item_of_a_list(page: Path) -> None:
    """Sphinx reads a translated heading as a paragraph; one that would be a list stays English, without a warning."""
    assert re.findall(r"^#+ (?:\d+[.)]|[-+*]) .*$", page.read_text(encoding="utf-8"), re.MULTILINE) == []
