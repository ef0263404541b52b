"""What the pages show in Chinese: Chinese punctuation, and one word for one thing.

The sentences of reasons (gateway/errors.py) are a contract with clients and keep their punctuation.
"""

import re
from pathlib import Path

import pytest

from tests.support.docs.chinese import find_half_width, find_rejected_words
from tests.support.processes import ROOT

FOLDERS = ("gateway/page/js", "gateway/console/static", "gateway/docs")
FILES = sorted(path for folder in FOLDERS for kind in ("js", "html") for path in (ROOT / folder).rglob(f"*.{kind}"))
WORDS = {
    "page": ROOT / "gateway" / "page" / "js" / "words.js",
    "console": ROOT / "gateway" / "console" / "static" / "words.js",
}
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_PART = re.compile(r"\$\{[^{}`]*\}")
_TEMPLATE = re.compile(rf"`((?:[^`$]|\$(?!\{{)|{_PART.pattern})*)`")
_HAN = re.compile(r"[\u4e00-\u9fff]")
# The beginning and the end of the Chinese words, and of the English ones.
_SECTIONS = {
    "page": (r"^  (\w+): \{$", r"^  \},$"),
    "console": (r"^const (\w+) = \{$", r"^\};$"),
}


def literals(source: str) -> list[str]:
    """Return the strings of a JavaScript source. The parts that a template fills in are Chinese."""
    found = _STRING.findall(source)
    while match := _TEMPLATE.search(source):
        found.append(_PART.sub("甲", match[1]))
        source = f"{source[: match.start()]}甲{source[match.end() :]}"
    return found


def section(name: str, language: str) -> str:
    """Return the source of a page's words in a language, `en` or `zh`."""
    begin, end = _SECTIONS[name]
    parts = re.split(begin, WORDS[name].read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    sections = {title.lower(): text for title, text in zip(parts[::2], parts[1::2], strict=True)}
    return re.split(end, sections[language], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("name", WORDS)
def test_a_page_has_the_same_words_in_both_languages(name: str) -> None:
    english, chinese = (
        re.findall(r"(?:^|, )\s*(\w+): ", section(name, language), re.MULTILINE) for language in ("en", "zh")
    )
    assert len(english) > 50
    assert english == chinese


@pytest.mark.parametrize("name", WORDS)
def test_the_chinese_words_of_a_page_follow_the_rules(name: str) -> None:
    texts = literals(section(name, "zh"))
    assert len(texts) > 50
    wrong = {text: [*find_half_width(text), *find_rejected_words(text)] for text in texts}
    assert {text: faults for text, faults in wrong.items() if faults} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_chinese_text_outside_the_words_follows_the_rules(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    texts = re.findall(r">([^<]+)<", source) if path.suffix == ".html" else _STRING.findall(source)
    chinese = [text for text in texts if _HAN.search(text)]
    assert [fault for text in chinese for fault in (*find_half_width(text), *find_rejected_words(text))] == []
