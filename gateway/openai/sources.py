"""The sources of an answer: a list for people, and citations for programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from wire.messages import Source


@dataclass(frozen=True)
class Citation:
    """A source and its place in the text."""

    source: Source
    start: int
    end: int


def format_sources(sources: Sequence[Source]) -> str:
    """Return a numbered list to append to a text; empty without sources."""
    return "\n\n" + "\n".join(_lines(sources)) if sources else ""


def locate_citations(sources: Sequence[Source], text: str, *, in_text: bool) -> list[Citation]:
    """Return the sources of a text that ends with their list, if they are `in_text`; otherwise all are at its end."""
    if not in_text:
        return [Citation(source, len(text), len(text)) for source in sources]
    citations, start = [], len(text) - len("\n".join(_lines(sources)))
    for source, line in zip(sources, _lines(sources), strict=True):
        citations.append(Citation(source, start, start + len(line)))
        start += len(line) + 1
    return citations


def _lines(sources: Sequence[Source]) -> list[str]:
    return [f"{number}. {_line(source)}" for number, source in enumerate(sources, 1)]


def _line(source: Source) -> str:
    title = " ".join(source.title.split())
    return f"{title}: {source.url}" if title else source.url
