"""An answer's sources as this API gives them: the text without marks, and notes on the text. Pure."""

import re

from emulator.answers import Answer
from emulator.frames import Json

MARK = re.compile(r"\[\^(\d+)\^\]")


def unmarked(text: str) -> tuple[str, dict[int, tuple[int, int]]]:
    """A text without Bing's citation marks, and for each mark's number the line before it: (start, end)."""
    parts: list[str] = []
    places: dict[int, tuple[int, int]] = {}
    length = last = 0
    for found in MARK.finditer(text):
        parts.append(text[last : found.start()])
        length += len(parts[-1])
        line = text.rfind("\n", 0, found.start()) + 1
        removed = sum(len(one[0]) for one in MARK.finditer(text, 0, line))
        places.setdefault(int(found[1]), (line - removed, length))
        last = found.end()
    return "".join(parts) + text[last:], places


def annotations(answer: Answer, places: dict[int, tuple[int, int]]) -> list[Json]:
    """A url_citation for each source; one that the text doesn't mention stands at its end."""
    end = len(answer.text)
    notes = []
    for number, source in enumerate(answer.sources, 1):
        start, stop = places.get(number, (end, end))
        citation = {
            "url": source.url,
            "title": source.title,
            "start_index": min(start, end),
            "end_index": min(stop, end),
        }
        notes.append({"type": "url_citation", "url_citation": citation})
    return notes
