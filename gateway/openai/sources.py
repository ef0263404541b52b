"""The pages that an answer cites: a list for people, and citations for programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from wire.messages import Source


@dataclass(frozen=True)
class Citation:
    """A source, and where in the text it stands."""

    source: Source
    start: int
    end: int


def listed(sources: Sequence[Source]) -> str:
    """A numbered list to go behind a text; empty for none."""
    return "\n\n" + "\n".join(_lines(sources)) if sources else ""


def citations(sources: Sequence[Source], text: str, *, in_text: bool) -> list[Citation]:
    """The sources of a text, which ends with their list if they are `in_text`; otherwise they stand at its end."""
    if not in_text:
        return [Citation(source, len(text), len(text)) for source in sources]
    found, start = [], len(text) - len("\n".join(_lines(sources)))
    for source, line in zip(sources, _lines(sources), strict=True):
        found.append(Citation(source, start, start + len(line)))
        start += len(line) + 1
    return found


def _lines(sources: Sequence[Source]) -> list[str]:
    return [f"{number}. {_line(source)}" for number, source in enumerate(sources, 1)]


def _line(source: Source) -> str:
    title = " ".join(source.title.split())
    return f"{title}: {source.url}" if title else source.url
