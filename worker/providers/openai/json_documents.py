"""Parse JSON documents from the bytes of a response: one, or one after the other."""

import codecs
import json
import re
from collections.abc import Iterator

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.openai.sse import MAX_EVENT, MOST_IN_VAIN, VAIN_BYTES
from worker.providers.openai.stream import DONE

_WORD = re.compile(r"\S")
_decoder = json.JSONDecoder(strict=False)


class DocumentParser:
    """An incremental parser of objects and lists, which may be on lines of their own; the end's mark counts as one."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._pieces: list[str] = []
        self._size = 0
        # Characters of what was no document yet when it was tried, before the response's end.
        self._vain = 0

    @property
    def held(self) -> int:
        """How many characters are held of a document that hasn't ended."""
        return self._size

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the documents that end in `chunk`. UpstreamError if one exceeds the limit."""
        self._add(self._utf8.decode(chunk))
        if self._vain <= MOST_IN_VAIN and (b"}" in chunk or b"]" in chunk):
            self._vain += self._size
            yield from self._documents()
        if self._size > MAX_EVENT:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "a document without an end")

    def end(self) -> Iterator[str]:
        """Yield the documents that are left at the end of the response, then what is none."""
        self._add(self._utf8.decode(b"", final=True))
        yield from self._documents()
        if rest := "".join(self._pieces).strip():
            yield rest

    def _documents(self) -> Iterator[str]:
        text = "".join(self._pieces)
        end = 0
        while (match := _WORD.search(text, end)) and (stop := _document_end(text, match.start())):
            end = stop
            self._vain = max(0, self._vain - VAIN_BYTES * (stop - match.start()))
            yield text[match.start() : stop]
        self._pieces, self._size = [text[end:]], len(text) - end

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._size += len(text)


def _document_end(text: str, start: int) -> int:
    """Return the end of the document that begins at `start`; 0 if it isn't complete, or none."""
    if text.startswith(DONE, start):
        return start + len(DONE)
    if text[start] not in "{[":
        return 0
    try:
        return _decoder.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return 0
