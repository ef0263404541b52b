"""What has arrived of a message on a socket."""

import pytest
from uvicorn.protocols.websockets.wsproto_impl import FrameTooLargeError
from wsproto.events import BytesMessage, TextMessage

from gateway.http.message_buffer import MessageBuffer, decode


def test_the_parts_of_a_message_make_it() -> None:
    buffer = MessageBuffer(100)
    for part in ("你", "", "好"):
        buffer.extend(TextMessage(part))
    assert (buffer.length, decode(buffer.to_message())) == (6, {"type": "websocket.receive", "text": "你好"})
    buffer.clear()
    assert buffer.length == 0
    buffer.extend(BytesMessage(b"\xff"))
    assert decode(buffer.to_message()) == {"type": "websocket.receive", "bytes": b"\xff"}


def test_a_message_has_as_many_bytes_as_it_may() -> None:
    buffer = MessageBuffer(6)
    buffer.extend(TextMessage("你好"))
    with pytest.raises(FrameTooLargeError):
        buffer.extend(TextMessage("!"))


def test_what_is_no_message_stays_as_it_is() -> None:
    assert decode({"type": "websocket.disconnect", "code": 1000}) == {"type": "websocket.disconnect", "code": 1000}
