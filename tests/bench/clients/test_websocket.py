"""WebSocket frames of the kind that uvicorn writes, cut into pieces at every place."""

import pytest
from wsproto import WSConnection
from wsproto.connection import SERVER, Connection, ConnectionType
from wsproto.events import Message, Ping, Request, TextMessage

from bench.clients.websocket import WebSocketResponse, handshake, text_frame

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
TEXTS = ["short", "必应" * 60, "x" * 70_000]


def sent(*events: Message[str] | Ping) -> bytes:
    server = Connection(ConnectionType.SERVER)
    return b"".join(server.send(event) for event in events)


STREAM = HEAD + sent(TextMessage(TEXTS[0]), Ping(b"are you there"), TextMessage(TEXTS[1]), TextMessage(TEXTS[2]))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1000, len(STREAM)])
def test_the_messages_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    socket = WebSocketResponse()
    messages = [text for at in range(0, len(STREAM), size) for text in socket.feed(STREAM[at : at + size])]
    assert [text.decode() for text in messages] == TEXTS
    assert socket.status == 200


def test_a_server_takes_the_handshake_and_the_question() -> None:
    server = WSConnection(SERVER)
    server.receive_data(handshake("/ws_stream"))
    [request] = server.events()
    assert isinstance(request, Request)
    assert request.target == "/ws_stream"


@pytest.mark.parametrize("text", ["short", "必" * 300])
def test_a_server_reads_the_text_that_was_sent(text: str) -> None:
    server = Connection(ConnectionType.SERVER)
    server.receive_data(text_frame(text))
    [message] = server.events()
    assert isinstance(message, TextMessage)
    assert message.data == text


def test_a_refusal_is_left_as_rest() -> None:
    socket = WebSocketResponse()
    assert socket.feed(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}") == []
    assert (socket.status, socket.rest) == (403, b"{}")


@pytest.mark.parametrize("wrong", [b"-ERR\r\n\r\n", HEAD + b"\x01\x01a"], ids=["no http", "a part of a message"])
def test_what_a_server_of_ours_does_not_send_is_an_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        WebSocketResponse().feed(wrong)
