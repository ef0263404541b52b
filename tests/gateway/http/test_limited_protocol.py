"""Heads of requests that are too large, and what a connection holds of them."""

import json
import tracemalloc
from collections.abc import Iterable

import pytest
from websockets.exceptions import InvalidStatus

from gateway.http.limited_protocol import LARGEST_HEADERS, LONGEST_PATH, MOST_HEADERS, MOST_WAITING
from gateway.http.streaming import HttpProtocol
from tests.support.conditions import until
from tests.support.gateway.connection import connected
from tests.support.gateway.harness import RunningGateway, body_of

pytestmark = pytest.mark.anyio
in_memory = pytest.mark.parametrize("store_url", ["memory://"])

MEGABYTE = 2**20
CHUNK = b"x" * 2**18
QUESTION = "/api?style=balanced&question=hello"
START = b"GET %b HTTP/1.1\r\nHost: g\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"


async def held_after(protocol: HttpProtocol, start: bytes, chunks: Iterable[bytes]) -> int:
    """Return how many bytes were held at most, while chunks arrive behind the start of a request."""
    protocol.data_received(start)
    tracemalloc.start()
    try:
        for chunk in chunks:
            await until(lambda: not protocol.is_holding)
            protocol.data_received(chunk)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def large_headers() -> Iterable[bytes]:
    """20 MB of headers, each of 4 kB."""
    line = b"x-some: " + b"y" * 4086 + b"\r\n"
    return (line * 64 for _ in range(80))


def small_headers() -> Iterable[bytes]:
    """20 MB of headers that have hardly a value."""
    return (b"a:b\r\n" * 2**16 for _ in range(64))


def one_header() -> Iterable[bytes]:
    """A header of 20 MB."""
    return (b"x-some: ", *[CHUNK] * 80)


@pytest.mark.parametrize("headers", [large_headers, small_headers, one_header])
async def test_of_20_mb_of_headers_hardly_anything_is_held(headers: object) -> None:
    protocol, transport = connected()
    assert callable(headers)
    assert await held_after(protocol, START % b"/", headers()) < MEGABYTE
    await until(lambda: transport.written)
    assert transport.written.startswith(b"HTTP/1.1 431 ")
    assert b"\r\nconnection: close\r\n" in transport.written
    assert transport.closed


async def test_an_address_of_20_mb_is_not_held_and_gets_414() -> None:
    protocol, transport = connected()
    assert await held_after(protocol, b"GET /?", [CHUNK] * 80) < MEGABYTE
    await until(lambda: transport.written)
    assert transport.written.startswith(b"HTTP/1.1 414 ")
    assert b"\r\nconnection: close\r\n" in transport.written


async def test_headers_behind_a_long_address_are_read_as_far_as_they_have_come() -> None:
    protocol, transport = connected()
    protocol.data_received(b"GET /?%b HTTP/1.1\r\nAccept-Language: en\r\n\r\n" % (b"x" * 90_000))
    await until(lambda: transport.written)
    assert transport.written.startswith(b"HTTP/1.1 414 ")
    assert (b"accept-language", b"en") in protocol.scope["headers"]


@pytest.mark.parametrize("trailers", [large_headers, small_headers, one_header])
async def test_trailers_are_not_held(trailers: object) -> None:
    protocol, _ = connected()
    assert callable(trailers)
    assert await held_after(protocol, CHUNKED + b"1\r\nx\r\n0\r\n", trailers()) < MEGABYTE
    assert [name for name, _ in protocol.headers] == [b"host", b"transfer-encoding"]


async def test_what_begins_no_request_is_given_up() -> None:
    protocol, transport = connected()
    protocol.data_received(b"\r\n" * LARGEST_HEADERS)
    assert (transport.closed, transport.written) == (True, b"")


async def test_a_large_body_between_two_requests_is_no_head() -> None:
    protocol, transport = connected()
    body = b"x" * 3 * LARGEST_HEADERS
    for _ in range(2):
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n" % len(body))
        protocol.data_received(body)
        await until(lambda: not protocol.is_holding)
    await until(lambda: transport.written.count(b"HTTP/1.1 200 ") == 2)
    assert not transport.closed


async def test_many_small_headers_in_many_pieces_are_no_large_one() -> None:
    protocol, transport = connected()
    head = (
        START % b"/" + b"".join(b"x-%d: %b\r\n" % (number, b"y" * 600) for number in range(MOST_HEADERS - 1)) + b"\r\n"
    )
    for place in range(0, len(head), 100):
        protocol.data_received(head[place : place + 100])
    await until(lambda: transport.written)
    assert transport.written.startswith(b"HTTP/1.1 200 ")


async def test_so_many_requests_may_wait_for_their_answers() -> None:
    protocol, transport = connected()
    protocol.data_received(START % b"/" + b"\r\n" + (START % b"/" + b"\r\n") * MOST_WAITING)
    await until(lambda: transport.written.count(b"HTTP/1.1 200 ") == MOST_WAITING + 1)
    assert not transport.closed


async def test_of_a_flood_of_requests_behind_one_hardly_anything_is_held() -> None:
    protocol, transport = connected()
    flood = (START % b"/" + b"\r\n") * 8000
    assert await held_after(protocol, START % b"/slow" + b"\r\n", [flood] * 8) < MEGABYTE
    assert transport.closed


@pytest.mark.parametrize(
    ("behind", "is_read"),
    [
        (START % b"/" + b"\r\n", True),
        (CHUNKED + b"100\r\n", True),
        ((START % b"/" + b"\r\n") * MOST_WAITING, False),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + CHUNK, False),
    ],
)
async def test_only_a_little_is_read_behind_a_request_that_is_answered(behind: bytes, *, is_read: bool) -> None:
    protocol, _ = connected()
    protocol.data_received(START % b"/slow" + b"\r\n" + behind)
    assert protocol.flow.read_paused is not is_read


DIALECTS = {
    "/api": lambda body: body["code"] == 431 and body["message"] == "请求头过大",
    "/v1/models": lambda body: body["error"]["code"] == "request_headers_too_large",
    "/v1/messages": lambda body: body["type"] == "error" and body["error"]["type"] == "invalid_request_error",
}


@in_memory
@pytest.mark.parametrize("path", DIALECTS)
async def test_headers_without_end_are_refused_in_the_shape_of_the_api(gateway: RunningGateway, path: str) -> None:
    response = await gateway.raw(START % path.encode() + b"x-large: " + b"x" * 2 * LARGEST_HEADERS)
    assert response.startswith(b"HTTP/1.1 431 ")
    assert DIALECTS[path](json.loads(body_of(response)))


@in_memory
@pytest.mark.parametrize("more", [0, 1])
async def test_a_hundred_headers_are_read_and_one_more_is_not(gateway: RunningGateway, more: int) -> None:
    headers = [f"x-{number}: y" for number in range(MOST_HEADERS - 2 + more)]
    response = await gateway.get(QUESTION, *headers)
    assert response.startswith(b"HTTP/1.1 431 " if more else b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in response


@in_memory
async def test_a_body_behind_refused_headers_does_not_hide_the_refusal(gateway: RunningGateway) -> None:
    large = b"x-large: " + b"x" * LARGEST_HEADERS
    head = b"POST /api HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n%b\r\n\r\n" % (MEGABYTE, large)
    assert (await gateway.raw(head + b"x" * MEGABYTE)).startswith(b"HTTP/1.1 431 ")


@in_memory
@pytest.mark.parametrize(("path", "size", "status"), [("/ws", LARGEST_HEADERS, 431), (f"/ws?{'x' * 65536}", 1, 414)])
async def test_a_socket_with_a_large_head_is_refused(
    gateway: RunningGateway, path: str, size: int, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket(path, additional_headers={"x-large": "x" * size}):
            pass
    assert refused.value.response.status_code == status


@in_memory
@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Host: xn--a.b", 421),
        (b"Host: " + b".".join([b"xn--" + b"a" * 57] * 900), 421),
        (b"Host: g\r\nSec-WebSocket-Protocol: " + b"aa," * 10_000, 431),
        (b"Host: g\r\nSec-WebSocket-Extensions: \xff", 431),
    ],
)
async def test_a_handshake_that_is_no_ordinary_one_is_refused(
    gateway: RunningGateway, header: bytes, status: int
) -> None:
    head = (
        b"GET /ws HTTP/1.1\r\n%b\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    )
    head += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    assert (await gateway.raw(head % header)).startswith(b"HTTP/1.1 %d " % status)


@in_memory
@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("upgrade", ["", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"])
async def test_a_path_that_is_too_long_is_refused_before_it_is_decoded(
    gateway: RunningGateway, upgrade: str, more: int
) -> None:
    path = "/v1/" + "%E6" * ((LONGEST_PATH - 4) // 3) + "x" * more
    head = f"GET {path}?question={'x' * 9000} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n{upgrade}\r\n"
    response = await gateway.raw(head.encode())
    if more:
        assert response.startswith(b"HTTP/1.1 414 ")
        assert json.loads(body_of(response))["error"]["type"] == "invalid_request_error"
    else:
        assert response.startswith(b"HTTP/1.1 400 " if upgrade else b"HTTP/1.1 404 ")


async def test_bytes_that_should_be_escaped_are_so_in_the_first_line() -> None:
    protocol, transport = connected()
    protocol.data_received("GET /ä?q=日 HTTP/1.1\r\nHost: g\r\n\r\n".encode())
    await until(lambda: transport.written)
    assert protocol.scope["raw_path"] == b"/%C3%A4"
    assert protocol.scope["query_string"] == b"q=%E6%97%A5"
    assert transport.written.startswith(b"HTTP/1.1 200 ")
