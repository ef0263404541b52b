"""A streamed response of server-sent events."""

import re

from bench.clients.http_response import HttpResponse

_CHUNKED = re.compile(rb"^transfer-encoding: *chunked\r?$", re.IGNORECASE | re.MULTILINE)


class EventStreamResponse(HttpResponse):
    """A response whose messages are server-sent events, each without the empty line at its end."""

    __slots__ = ("_chunked",)

    def __init__(self) -> None:
        super().__init__()
        self._chunked = False

    def _begin_body(self) -> None:
        self._chunked = _CHUNKED.search(self.head) is not None

    def _split(self, raw: bytes) -> tuple[list[bytes], bytes]:
        body, raw = _unchunk(raw) if self._chunked else (raw, b"")
        *events, self.rest = (self.rest + body).split(b"\n\n")
        return events, raw


def _unchunk(raw: bytes) -> tuple[bytes, bytes]:
    """Return the joined bodies of the complete chunks at the beginning of `raw`, and the remaining bytes."""
    parts = []
    start = 0
    while (line_end := raw.find(b"\r\n", start)) >= 0:
        body = line_end + 2
        end = body + int(raw[start:line_end], 16)
        if len(raw) < end + 2:
            break
        parts.append(raw[body:end])
        start = end + 2
    return b"".join(parts), raw[start:]
