"""The documents keep up with the code."""

import re
from pathlib import Path

import pytest

from wire import scripts

ROOT = Path(__file__).parent.parent


def rows(name: str) -> list[list[str]]:
    """The cells of all table rows of a document."""
    lines = (ROOT / name).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def documents() -> list[Path]:
    """All documents, without those of installed programs."""
    folders = ("bench", "cookies", "docs", "emulator", "gateway", "tests")
    pages = [page for folder in folders for page in (ROOT / folder).rglob("*.md")]
    return [*ROOT.glob("*.md"), *(page for page in pages if not re.search(r"/(node_modules|\.venv[^/]*)/", str(page)))]


def anchors(document: Path) -> set[str]:
    """The anchors that a forge makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_script_is_documented() -> None:
    documented = {row[0].strip("`") for row in rows("docs/architecture/scripts.md")}
    assert set(scripts.names()) <= documented


def test_every_invariant_has_tests_that_exist() -> None:
    invariants = re.findall(
        r"^(\d+)\. ", (ROOT / "ARCHITECTURE.md").read_text().partition("## Invariants")[2], re.MULTILINE
    )
    sections = re.split(
        r"^## Invariant (\d+): ", (ROOT / "docs/architecture/invariants.md").read_text(), flags=re.MULTILINE
    )
    assert len(invariants) >= 11
    assert sections[1::2] == invariants
    for number, section in zip(sections[1::2], sections[2::2], strict=True):
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", section)
        assert named, f"invariant {number} has no test"
        for path, name in named:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name} is not there"


def test_every_module_of_the_page_is_documented() -> None:
    documented = {name for row in rows("docs/architecture/page.md") for name in re.findall(r"`(\w+)`", row[0])}
    assert {path.stem for path in (ROOT / "gateway/page/js").glob("*.js")} <= documented


def test_a_link_between_documents_leads_somewhere() -> None:
    for document in documents():
        for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^):]+)\)", document.read_text())):
            path = document.parent / target if target else document
            assert path.exists(), f"{document} links to {target}"
            assert not anchor or anchor in anchors(path), f"{document} links to {target}#{anchor}"


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_a_readme_fits_on_two_pages(readme: str) -> None:
    assert len((ROOT / readme).read_bytes()) <= 9_000


def test_the_architecture_fits_on_a_few_pages() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_bytes()) <= 12_000
