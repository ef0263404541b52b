"""One streamed HTTP response, parsed from whatever pieces of bytes arrive."""

import re

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_CHUNKED = re.compile(rb"^transfer-encoding: *chunked\r?$", re.IGNORECASE | re.MULTILINE)


class Response:
    """Feed it bytes and it returns the server-sent events in them, each without the empty line at its end.

    status: the HTTP status, 0 until it has come. rest: what is no complete event, so all of a plain body.
    """

    __slots__ = ("_chunked", "_raw", "rest", "status")

    def __init__(self) -> None:
        self.status = 0
        self.rest = b""
        self._raw = b""
        self._chunked = False

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes. ValueError when it isn't HTTP/1.1."""
        raw = self._raw + data
        if not self.status:
            head, found, raw = raw.partition(b"\r\n\r\n")
            if not found:
                self._raw = head
                return []
            self._begin(head)
        body, self._raw = _unchunked(raw) if self._chunked else (raw, b"")
        *events, self.rest = (self.rest + body).split(b"\n\n")
        return events

    def _begin(self, head: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            raise ValueError("not an HTTP/1.1 response")
        self.status = int(status[1])
        self._chunked = _CHUNKED.search(head) is not None


def _unchunked(raw: bytes) -> tuple[bytes, bytes]:
    """The bodies of the complete chunks at the beginning of `raw`, joined, and what is left."""
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
