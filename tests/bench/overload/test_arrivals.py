"""What the load client makes of the bytes that come."""

import json

import pytest

from bench.clients.verdict import COMPLETE, UNFINISHED
from bench.overload.arrivals import OverloadStream

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nx-answer-id: s0-1\r\n\r\n"
# Due long after anything here is asked for.
PIECE = " t=9234567890123456789"


def event(text: str, *, done: bool = False, tail: bytes = b"") -> bytes:
    data = {"answer": text, "urls": [], "done": done, "reset": False, "token": "t"}
    return b"data: %s\n%s\n" % (json.dumps({"code": 200, "message": "success", "data": data}).encode(), tail)


def feed(*parts: bytes) -> OverloadStream:
    stream = OverloadStream(b"GET / HTTP/1.1")
    for part in parts:
        stream.data_received(part)
    stream.connection_lost(None)
    return stream


async def test_an_answer_with_ids_and_pings_is_whole() -> None:
    opening = event("", tail=b"retry: 1000\nid: s0-1.0\n")
    stream = feed(HEAD[:20], HEAD[20:] + opening + opening, event(PIECE, tail=b"id: s0-1.1\n"), event(PIECE, done=True))
    assert stream.verdict(1) == COMPLETE
    assert await stream.answer == "s0-1"
    assert [len(delays) for _, delays in stream.arrivals.events] == [1]
    assert stream.refusal() is None


async def test_merged_pieces_are_one_arrival() -> None:
    stream = feed(HEAD, event(PIECE + PIECE), event(PIECE + PIECE, done=True))
    assert stream.verdict(2) == COMPLETE
    assert [len(delays) for _, delays in stream.arrivals.events] == [2]


async def test_a_missing_end_is_unfinished() -> None:
    assert feed(HEAD, event(PIECE)).verdict(1) == UNFINISHED


@pytest.mark.parametrize(("header", "mention"), [(b"retry-after: 7\r\n", "Retry-After"), (b"", "no Retry-After")])
async def test_a_refusal_is_reported_with_or_without_retry_after(header: bytes, mention: str) -> None:
    body = b'{"code": 503, "message": "busy"}'
    stream = feed(b"HTTP/1.1 503 Service Unavailable\r\n" + header + b"\r\n" + body)
    assert stream.refusal() == f"503, code 503, {mention}"
    assert await stream.answer == ""


async def test_a_stream_that_ends_before_any_data_is_to_be_asked_for_again() -> None:
    assert feed(HEAD).is_sent_back
    assert feed(HEAD, event("", tail=b"retry: 1000\nid: s0-1.0\n")).is_sent_back
    assert not feed(HEAD, event(PIECE)).is_sent_back
    assert not feed(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").is_sent_back


async def test_what_was_due_before_it_was_asked_for_is_not_late() -> None:
    stream = feed(HEAD, event(" t=1234567890123456789"), event(PIECE))
    assert len(stream.arrivals.events) == 1
    assert stream.first is not None
