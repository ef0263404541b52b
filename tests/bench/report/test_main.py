"""The tables and the plots on the published pages."""

from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.options import read_options
from bench.report.__main__ import fill, publish
from bench.report.document import make_document
from bench.report.output import write
from tests.support.bench.documents import DOCUMENT, make_round

README = "before\n<!-- measured -->\nold\n<!-- /measured -->\n<!-- sitting -->\nold\n<!-- /sitting -->\nafter\n"
BLOCKS = ("carried", "needed", "grown", "sizes")
CAPACITY = "before\n" + "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in BLOCKS)


def publish_run(root: Path, document: dict[str, Any]) -> tuple[str, str]:
    """Return the README and the page on capacity that a run was published in."""
    write(root / "results", document)
    readme, capacity = root / "bench" / "README.md", root / "docs" / "operations" / "capacity.md"
    for page, text in ((readme, README), (capacity, CAPACITY)):
        page.parent.mkdir(parents=True)
        page.write_text(text)
    publish(root / "results", root)
    return readme.read_text(), capacity.read_text()


def test_a_page_keeps_what_is_around_the_marks() -> None:
    page = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"
    assert fill(page, "a", "new\n") == "before\n<!-- a -->\n\nnew\n\n<!-- /a -->\nafter\n"
    assert fill(fill(page, "a", "x"), "a", "new") == fill(page, "a", "new")
    with pytest.raises(BenchError):
        fill(page, "b", "new")


def test_a_run_with_sides_is_published_with_its_plots(tmp_path: Path) -> None:
    readme, capacity = publish_run(tmp_path, DOCUMENT)
    assert "| path sse 300 | 55 (50–60) | 2 |" in readme
    assert "![compared-cpu](../docs/bench/compared-cpu.svg)" in readme
    assert (tmp_path / "docs" / "bench" / "compared-cpu.svg").exists()
    assert readme.startswith("before\n")
    assert readme.endswith("<!-- sitting -->\nold\n<!-- /sitting -->\nafter\n")
    assert "55 (50–60) µs" in capacity
    assert '| 1 (`compared["path sse 300"]`) | 55 µs | 1 |' in capacity
    assert "<!-- /carried -->\n<!-- needed -->\nold\n<!-- /needed -->\n<!-- grown -->\n\n|" in capacity


def test_a_run_before_a_model_server_leaves_what_was_measured_beside_sides(tmp_path: Path) -> None:
    served = {"ours openai 100": [make_round(50)]}
    document = make_document(read_options(["--sides", ""]), None, {}, {}, {}, served, {})
    readme, capacity = publish_run(tmp_path, document)
    assert readme.startswith("before\n<!-- measured -->\nold\n<!-- /measured -->\n<!-- sitting -->\n\n### Beside")
    assert "![served-cpu](../docs/bench/served-cpu.svg)" in readme
    assert capacity.startswith("before\n<!-- carried -->\nold\n<!-- /carried -->\n<!-- needed -->\n\n|")
    assert "50 µs" in capacity
    assert capacity.endswith("<!-- sizes -->\nold\n<!-- /sizes -->\n")
