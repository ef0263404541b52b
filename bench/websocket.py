"""One WebSocket as a client sees it: the handshake, one question, and frames from whatever pieces of bytes arrive.

Only what a server of ours sends is understood: whole text messages, unmasked. Pings are not answered, so a round has to
be over before the second one, 40 s after the socket was opened.
"""

import os
import re
from base64 import b64encode

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_TEXT = 0x81
_CONTROL = 0x08
_MASKED = 0x80
_SWITCHED = 101


def handshake(path: str) -> bytes:
    """The request that opens a socket."""
    key = b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def text_frame(text: str) -> bytes:
    """A message of up to 64 kB from the client, masked with zeros."""
    data = text.encode()
    length = bytes([_MASKED | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return bytes([_TEXT]) + length + bytes(4) + data


class Messages:
    """Feed it bytes and it returns the text messages in them.

    status: the HTTP status, 200 for a socket that was opened, 0 until it has come. rest: a body that is no socket's.
    """

    __slots__ = ("_raw", "rest", "status")

    def __init__(self) -> None:
        self.status = 0
        self.rest = b""
        self._raw = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes. ValueError when it isn't what a server of ours sends."""
        raw = self._raw + data if self._raw else data
        if not self.status:
            head, found, raw = raw.partition(b"\r\n\r\n")
            if not found:
                self._raw = head
                return []
            self._begin(head)
        if self.status != 200:
            self.rest += raw
            return []
        messages, self._raw = _messages(raw)
        return messages

    def _begin(self, head: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            raise ValueError("not an HTTP/1.1 response")
        self.status = 200 if int(status[1]) == _SWITCHED else int(status[1])


def _messages(raw: bytes) -> tuple[list[bytes], bytes]:
    """The texts of the complete frames at the beginning of `raw`, and what is left."""
    found, start, end = [], 0, len(raw)
    while end - start >= 2:
        kind, length, body = raw[start], raw[start + 1], start + 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, body = int.from_bytes(raw[body : body + size]), body + size
        if end < body + length:
            break
        if kind == _TEXT:
            found.append(raw[body : body + length])
        elif not kind & _CONTROL:
            raise ValueError("not a whole text message")
        start = body + length
    return found, raw[start:]
