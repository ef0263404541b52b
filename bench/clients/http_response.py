"""The head of an HTTP/1.1 response, parsed from whatever pieces of bytes arrive."""

import re
from abc import ABC, abstractmethod

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


class HttpResponse(ABC):
    """Feed it bytes and it returns the messages in them.

    status: the HTTP status, 0 until the head has come. head: status line and headers. rest: what is no complete
    message, so all of a plain body.
    """

    __slots__ = ("_raw", "head", "rest", "status")

    def __init__(self) -> None:
        self.status = 0
        self.head = b""
        self.rest = b""
        self._raw = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that `data` completes. ValueError when it isn't HTTP/1.1."""
        raw = self._raw + data
        if not self.status:
            head, end, raw = raw.partition(b"\r\n\r\n")
            if not end:
                self._raw = head
                return []
            match = _STATUS.match(head)
            if match is None:
                raise ValueError("not an HTTP/1.1 response")
            self.head, self.status = head, int(match[1])
            self._begin_body()
        messages, self._raw = self._split(raw)
        return messages

    @abstractmethod
    def _begin_body(self) -> None:
        """Read from the head what the body needs."""

    @abstractmethod
    def _split(self, raw: bytes) -> tuple[list[bytes], bytes]:
        """Return the complete messages at the beginning of `raw`, and the bytes to parse again with what follows."""
