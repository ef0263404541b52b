"""Parse JSON documents from the bytes of a response: one, or one in each line."""

import json
from collections.abc import Iterator

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.openai.sse import BOM, MAX_EVENT

# How often the body of a response that doesn't end is tried as a whole document.
_MOST_TRIES = 100


class DocumentParser:
    """An incremental parser of documents. A line that is one by itself counts as one; else the whole body does."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._tries = 0
        self._by_line = True

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the documents that end in `chunk`. UpstreamError if one exceeds the limit."""
        self._size += len(chunk)
        self._pieces.append(chunk)
        if self._by_line and b"\n" in chunk:
            yield from self._lines()
        if self._tries < _MOST_TRIES and chunk.rstrip().endswith((b"}", b"]")):
            self._tries += 1
            if is_document(rest := b"".join(self._pieces)):
                self._keep(b"")
                yield rest.decode(errors="replace")
        if self._size > MAX_EVENT:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "a document without an end")

    def end(self) -> Iterator[str]:
        """Yield what is left at the end of the response, a document or not."""
        rest = b"".join(self._pieces)
        self._keep(b"")
        if rest.strip():
            yield rest.decode(errors="replace")

    def _lines(self) -> Iterator[str]:
        *lines, rest = b"".join(self._pieces).removeprefix(BOM).split(b"\n")
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            if not is_document(line):
                self._by_line = False
                rest = b"\n".join([*lines[number:], rest])
                break
            yield line.decode(errors="replace")
        self._keep(rest)

    def _keep(self, rest: bytes) -> None:
        self._pieces, self._size = [rest], len(rest)


def is_document(data: bytes) -> bool:
    """Return whether the data is one whole JSON document, or the mark of the end in place of one."""
    if data.strip() == b"[DONE]":
        return True
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
