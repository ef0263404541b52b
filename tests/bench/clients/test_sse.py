"""Responses of the kind that uvicorn writes, cut into pieces at every place."""

import pytest

from bench.clients.sse import EventStreamResponse

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = [b'data: {"n": 1}', "data: 必应".encode(), b"data: 3"]


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


STREAM = HEAD + b"".join(chunk(event + b"\n\n") for event in EVENTS) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", range(1, 40))
def test_the_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    response = EventStreamResponse()
    events = [event for at in range(0, len(STREAM), size) for event in response.feed(STREAM[at : at + size])]
    assert events == EVENTS
    assert response.status == 200
    assert response.rest == b""


def test_an_event_may_be_spread_over_chunks_and_a_chunk_may_hold_several() -> None:
    response = EventStreamResponse()
    assert response.feed(HEAD + chunk(b"data: a") + chunk(b"b\n\ndata: c\n\ndata: ")) == [b"data: ab", b"data: c"]
    assert response.feed(chunk(b"d\n\n")) == [b"data: d"]


def test_an_event_that_was_cut_off_is_left_as_rest() -> None:
    response = EventStreamResponse()
    assert response.feed(HEAD + chunk(b"data: a")) == []
    assert response.rest == b"data: a"


def test_a_plain_body_is_left_as_rest() -> None:
    response = EventStreamResponse()
    assert response.feed(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}") == []
    assert (response.status, response.rest) == (503, b"{}")


def test_what_is_no_http_is_an_error() -> None:
    with pytest.raises(ValueError, match="not an HTTP"):
        EventStreamResponse().feed(b"-ERR unknown command\r\n\r\n")
