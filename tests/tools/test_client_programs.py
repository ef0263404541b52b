"""The table of client programs says what was recorded, and why something isn't there."""

import json
from pathlib import Path

import pytest

from tests.support.external.catalogue import Program
from tools.client_programs import insert, render

PROGRAMS = {
    "one": Program(
        "one", "One", "python", "one", missing={"schema": "It asks for XML."}, openai_only={"found": "It has none."}
    ),
    "two": Program(
        "two",
        "Two",
        "python",
        "two",
        api="anthropic",
        jobs={"thinking": ["thinking"], "count": ["count"], "embeddings": ["found"]},
        without={"picture": "It sends none."},
    ),
    "three": Program("three", "Three", "command", "three", not_tried="It needs a desktop."),
}


def test_results_and_reasons_are_rendered(tmp_path: Path) -> None:
    one = {"version": "1.2", "chat": "yes", "tools": "partly", "schema": "no", "picture": "yes"}
    (tmp_path / "one.json").write_text(json.dumps(one))
    (tmp_path / "two.json").write_text(
        json.dumps({"version": "3", "chat": "yes", "tools": "yes", "thinking": "yes", "count": "no"})
    )
    table = render(PROGRAMS, tmp_path)
    assert "| One | 1.2 | chat completions | yes | partly | no | yes |  |" in table
    assert (
        "| Two | 3 | Anthropic | yes | yes | not tried | – | thoughts, tokens counted: no, embeddings: not tried |"
        in table
    )
    assert "- One, schemas: It asks for XML." in table
    assert "- One, `found` before Anthropic's API: It has none." in table
    assert "- Two, pictures: It sends none." in table
    assert "- Three was not tried: It needs a desktop." in table


def test_a_program_without_results_has_no_row(tmp_path: Path) -> None:
    assert "One" not in render(PROGRAMS, tmp_path)


def test_the_table_replaces_the_one_before() -> None:
    page = insert("before\n<!-- programs -->\nold\n<!-- /programs -->\nafter\n", "new")
    assert page == "before\n<!-- programs -->\nnew\n<!-- /programs -->\nafter\n"


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        insert("a page", "a table")
