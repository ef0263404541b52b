"""The head of a response, which every kind of response reads alike."""

import pytest

from bench.clients.http_response import HttpResponse
from bench.clients.sse import EventStreamResponse
from bench.clients.websocket import WebSocketResponse

KINDS = [EventStreamResponse, WebSocketResponse]
HEAD = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\n"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_known_until_the_head_has_come_in_full(kind: type[HttpResponse]) -> None:
    response = kind()
    assert response.feed(HEAD) == []
    assert (response.status, response.head) == (0, b"")
    assert response.feed(b"\r\nbusy") == []
    assert (response.status, response.head, response.rest) == (503, HEAD.removesuffix(b"\r\n"), b"busy")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_http_is_an_error(kind: type[HttpResponse]) -> None:
    with pytest.raises(ValueError, match="not an HTTP"):
        kind().feed(b"HTTP/2 200\r\n\r\n")
