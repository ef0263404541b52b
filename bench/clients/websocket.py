"""A WebSocket from the client's side: the handshake, one question, and the frames that arrive.

Only what our own servers send is understood: whole text messages, unmasked. Pings are not answered, so a round must end
before the second one, 40 s after the socket was opened.
"""

import os
from base64 import b64encode

from bench.clients.http_response import HttpResponse

_TEXT = 0x81
_CONTROL = 0x08
_MASKED = 0x80
_SWITCHING_PROTOCOLS = 101


def handshake(path: str) -> bytes:
    """Return the request that opens a socket."""
    key = b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def text_frame(text: str) -> bytes:
    """Return a client's message of up to 64 kB, masked with zeros."""
    data = text.encode()
    length = bytes([_MASKED | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return bytes([_TEXT]) + length + bytes(4) + data


class WebSocketResponse(HttpResponse):
    """A response whose messages are a socket's text messages; `status` is 200 for a socket that was opened."""

    __slots__ = ()

    def _begin_body(self) -> None:
        if self.status == _SWITCHING_PROTOCOLS:
            self.status = 200

    def _split(self, raw: bytes) -> tuple[list[bytes], bytes]:
        if self.status != 200:
            self.rest += raw
            return [], b""
        return _split_frames(raw)


def _split_frames(raw: bytes) -> tuple[list[bytes], bytes]:
    """Return the texts of the complete frames at the beginning of `raw`, and the remaining bytes."""
    texts, start, end = [], 0, len(raw)
    while end - start >= 2:
        kind, length, body = raw[start], raw[start + 1], start + 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, body = int.from_bytes(raw[body : body + size]), body + size
        if end < body + length:
            break
        if kind == _TEXT:
            texts.append(raw[body : body + length])
        elif not kind & _CONTROL:
            raise ValueError("not a whole text message")
        start = body + length
    return texts, raw[start:]
