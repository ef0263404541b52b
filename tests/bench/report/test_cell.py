"""Cells of tables."""

from bench.report.cell import cell, show


def test_a_spread_is_shown_only_where_there_is_one() -> None:
    assert cell([1.0, 2.0, 3.0]) == "2 (1–3)"
    assert cell([2.0, 2.0, 2.0]) == "2"
    assert cell(None) == ""


def test_a_number_has_three_digits_that_count() -> None:
    assert [show(number) for number in (0.12345, 99.96, 999.4, 999.6, 12345.0)] == [
        "0.123",
        "100",
        "999",
        "1,000",
        "12,300",
    ]
