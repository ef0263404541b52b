"""The decisions' pages have one form, and their index lists them all."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("0*.md"))
_HEAD = re.compile(
    r"# (?P<title>.+)\n\n"
    r"Status: (?P<status>accepted|superseded by \d{4})  \n"
    r"Date: (?P<date>\d{4}-\d{2}-\d{2})\n\n"
    r"## Context\n"
)


def head(page: Path) -> re.Match[str]:
    """Return the beginning of a decision's page: title, status, date."""
    match = _HEAD.match(page.read_text(encoding="utf-8"))
    assert match, page.name
    return match


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_has_status_date_context_decision_and_consequences(page: Path) -> None:
    head(page)
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]


def test_the_index_lists_every_decision_with_its_status_and_date() -> None:
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    rows = [line for line in index.splitlines() if line.startswith("| [")]
    assert rows == [
        f"| [{page.name[:4]}]({page.name}) | {match['title']} | {match['status']} | {match['date']} |"
        for page in PAGES
        for match in [head(page)]
    ]
