"""Sources as a list for people, and as citations for programs."""

from gateway.openai.sources import format_sources, locate_citations
from wire.messages import Source

ONE, TWO = Source("A\n title", "https://a.example"), Source("", "https://b.example")


def test_the_list_is_numbered_and_says_what_there_is() -> None:
    assert format_sources([ONE, TWO]) == "\n\n1. A title: https://a.example\n2. https://b.example"
    assert format_sources([]) == ""


def test_a_citation_says_where_its_line_is() -> None:
    text = "answer" + format_sources([ONE, TWO])
    citations = locate_citations([ONE, TWO], text, in_text=True)
    assert [text[citation.start : citation.end] for citation in citations] == [
        "1. A title: https://a.example",
        "2. https://b.example",
    ]


def test_sources_that_are_not_in_the_text_stand_at_its_end() -> None:
    assert [(citation.start, citation.end) for citation in locate_citations([ONE], "answer", in_text=False)] == [(6, 6)]
