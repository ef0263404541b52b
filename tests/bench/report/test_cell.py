"""Cells of tables."""

from bench.report.cell import cell


def test_a_spread_is_shown_only_where_there_is_one() -> None:
    assert cell([1.0, 2.0, 3.0]) == "2 (1–3)"
    assert cell([2.0, 2.0, 2.0]) == "2"
    assert cell(None) == ""
