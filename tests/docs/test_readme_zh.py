"""README.zh.md has all that README.md has, and it and the drawings follow the rules of Chinese texts."""

import re

import pytest

from tests.support.docs.blocks import ROOT, blocks
from tests.support.docs.chinese import find_half_width, find_rejected_words

TWINS = ("README.md", "README.zh.md")
CHINESE = ["README.zh.md", "docs/accounts.zh_CN.svg", "docs/architecture.zh_CN.svg"]


def commands(page: str) -> list[tuple[str, str]]:
    """The blocks of a page without comments; a Chinese one may ask in Chinese."""
    comment = re.compile(r"(^|\s+)(#|//) .*$", re.MULTILINE)
    fenced = [block for block in blocks(page) if block.language]
    return [(block.language, comment.sub("", block.code).replace("你好", "hello").strip()) for block in fenced]


def lines(page: str) -> list[str]:
    """The lines of a page outside code."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return text.splitlines()


def tables(page: str) -> list[int]:
    """The number of cells of each row of a table."""
    return [line.count("|") for line in lines(page) if line.startswith("|")]


def headings(page: str) -> list[int]:
    """The depth of each heading."""
    return [len(line) - len(line.lstrip("#")) for line in lines(page) if line.startswith("#")]


def links(page: str) -> list[str]:
    """Where links within the repository lead, without anchors."""
    text = re.sub(r"\.zh(_CN)?(?=\.(md|svg))", "", "\n".join(lines(page)))
    return sorted(re.findall(r"\]\(([^):#]+)", text))


def test_both_have_the_same_commands() -> None:
    english, chinese = map(commands, TWINS)
    assert english == chinese


def test_both_have_the_same_headings() -> None:
    english, chinese = map(headings, TWINS)
    assert english == chinese


def test_both_have_the_same_tables() -> None:
    english, chinese = map(tables, TWINS)
    assert english == chinese


def test_both_lead_to_the_same_documents() -> None:
    english, chinese = map(links, TWINS)
    assert english == chinese


@pytest.mark.parametrize("name", CHINESE)
def test_punctuation_beside_chinese_characters_is_chinese(name: str) -> None:
    assert find_half_width((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", CHINESE)
def test_one_thing_has_one_word(name: str) -> None:
    assert find_rejected_words((ROOT / name).read_text(encoding="utf-8")) == []
