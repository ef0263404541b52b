"""The plots are whole SVG."""

from xml.etree import ElementTree

from bench.report.plots import bars

SVG = "{http://www.w3.org/2000/svg}"


def test_each_part_is_a_bar_as_long_as_its_value_and_each_row_says_its_sum() -> None:
    drawn = ElementTree.fromstring(bars("A <title>", [("one", {"a": 30.0, "b": 10.0}), ("two", {"a": 20.0})]))
    legend, (first, second, third) = drawn.findall(f"{SVG}rect")[:2], drawn.findall(f"{SVG}rect")[2:]
    assert len(legend) == 2
    widths = [float(bar.attrib["width"]) for bar in (first, second, third)]
    assert widths[0] == 3 * widths[1] == 1.5 * widths[2]
    assert float(second.attrib["x"]) == float(first.attrib["x"]) + widths[0]
    assert [text.text for text in drawn.findall(f"{SVG}text") if text.text in ("A <title>", "40", "20")] == [
        "A <title>",
        "40",
        "20",
    ]


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert ElementTree.fromstring(bars("Nothing", [])).tag == f"{SVG}svg"
