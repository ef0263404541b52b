"""The site is built without a warning, small, and the same each time."""

import re
import zipfile
from pathlib import Path

import pytest

from tools import site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both languages, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    for name, language in site.LANGUAGES.items():
        site.build(folder / name, language)
    return folder


def test_both_languages_have_the_same_pages(built: Path) -> None:
    english, chinese = (
        {path.relative_to(built / name) for path in (built / name).rglob("*.html")} for name in ("en", "zh")
    )
    assert english == chinese
    assert Path("getting-started.html") in english
    assert ' lang="zh-CN"' in (built / "zh" / "index.html").read_text(encoding="utf-8")


def test_the_archive_is_below_three_megabytes_and_the_same_each_time(built: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    site.pack(built, first)
    site.pack(built, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 3_000_000
    with zipfile.ZipFile(first) as archive:
        assert {"en/index.html", "zh/index.html", "zh/searchindex.js"} <= set(archive.namelist())


def test_it_has_nothing_that_no_browser_asks_for(built: Path) -> None:
    names = [path.name for path in built.rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith((".map", ".inv", ".buildinfo")) or "LICENSE" in name]


def test_a_page_asks_for_nothing_from_elsewhere(built: Path) -> None:
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text
        assert 'rel="stylesheet" href="http' not in text


def test_each_page_leads_to_itself_in_the_other_language(built: Path) -> None:
    for page in built.rglob("*.html"):
        links = re.findall(r'href="([^"]+)" hreflang="(\w\w)', page.read_text(encoding="utf-8"))
        assert len(links) == 1, page
        target, language = links[0]
        here = page.relative_to(built)
        assert (page.parent / target).resolve() == (built / language / here.relative_to(here.parts[0])).resolve()
        assert language != here.parts[0]
