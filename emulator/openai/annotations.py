"""An answer's sources as this API gives them: the text without citation marks, and annotations of the text."""

import re

from emulator.answers import SampleAnswer
from emulator.json_text import Json

MARK = re.compile(r"\[\^(\d+)\^\]")


def remove_marks(text: str) -> tuple[str, dict[int, tuple[int, int]]]:
    """Return a text without Bing's citation marks, and for each mark's number the line before it: (start, end)."""
    parts: list[str] = []
    places: dict[int, tuple[int, int]] = {}
    length = last = 0
    for match in MARK.finditer(text):
        parts.append(text[last : match.start()])
        length += len(parts[-1])
        line = text.rfind("\n", 0, match.start()) + 1
        removed = sum(len(mark[0]) for mark in MARK.finditer(text, 0, line))
        places.setdefault(int(match[1]), (line - removed, length))
        last = match.end()
    return "".join(parts) + text[last:], places


def annotate(answer: SampleAnswer, places: dict[int, tuple[int, int]]) -> list[Json]:
    """Return a url_citation for each source; one that the text doesn't mention is placed at its end."""
    end = len(answer.text)
    citations = []
    for number, source in enumerate(answer.sources, 1):
        start, stop = places.get(number, (end, end))
        citation = {
            "url": source.url,
            "title": source.title,
            "start_index": min(start, end),
            "end_index": min(stop, end),
        }
        citations.append({"type": "url_citation", "url_citation": citation})
    return citations
