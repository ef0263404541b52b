"""The table and the plots on the published pages."""

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.report.__main__ import fill, publish
from bench.report.output import write
from tests.support.bench.documents import DOCUMENT

PAGE = "before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n"


def test_a_page_keeps_what_is_around_the_marks() -> None:
    assert fill(PAGE, "new\n") == "before\n<!-- measured -->\n\nnew\n\n<!-- /measured -->\nafter\n"
    assert fill(fill(PAGE, "x"), "new") == fill(PAGE, "new")
    with pytest.raises(BenchError):
        fill("no marks", "new")


def test_a_run_is_published_with_its_plots(tmp_path: Path) -> None:
    write(tmp_path / "results", DOCUMENT)
    readme = tmp_path / "bench" / "README.md"
    readme.parent.mkdir()
    readme.write_text(PAGE)
    publish(tmp_path / "results", tmp_path)
    page = readme.read_text()
    assert "| path sse 300 | 55 (50–60) | 2 |" in page
    assert "![compared-cpu](../docs/bench/compared-cpu.svg)" in page
    assert (tmp_path / "docs" / "bench" / "compared-cpu.svg").exists()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
