"""What has arrived of a WebSocket's message, as it came: bytes. See uvicorn's WebsocketBuffer, which holds text.

A text may take four times as much memory as its bytes, and a message may wait for long: for its end, or to be taken.
"""

from typing import Any

from uvicorn.protocols.websockets.wsproto_impl import FrameTooLargeError
from wsproto.events import BytesMessage, TextMessage


class MessageBuffer:
    """Collects the parts of a message, which may have `max_length` bytes."""

    __slots__ = ("_kind", "_max_length", "_value")

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._value = bytearray()
        self._kind = "bytes"

    @property
    def length(self) -> int:
        """The bytes that have arrived."""
        return len(self._value)

    def extend(self, event: TextMessage | BytesMessage) -> None:
        """Add a part. FrameTooLargeError if the message becomes too large."""
        part = event.data
        self._kind = "text" if isinstance(part, str) else "bytes"
        self._value += part.encode() if isinstance(part, str) else part
        if len(self._value) > self._max_length:
            raise FrameTooLargeError

    def clear(self) -> None:
        """Begin the next message."""
        self._value = bytearray()

    def to_message(self) -> dict[str, Any]:
        """Return the message as ASGI has it, but for a text, which is in UTF-8 until `decode`."""
        return {"type": "websocket.receive", self._kind: bytes(self._value)}


def decode(message: Any) -> Any:
    """Return what a MessageBuffer has made, as ASGI has it; anything else is so already."""
    if "text" in message:
        message["text"] = message["text"].decode()
    return message
