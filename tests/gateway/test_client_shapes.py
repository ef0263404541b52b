"""Requests in all shapes of the table, over real sockets: what each client gets, and what is asked for it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from http.client import HTTPResponse
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.settings import GatewaySettings
from tests.support.gateway.client_shapes import ClientShape, load_shapes
from tests.support.gateway.harness import RunningGateway, running, script_name
from wire.messages import Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
SHAPES = load_shapes()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def gateway(anyio_backend: str) -> AsyncIterator[RunningGateway]:
    """One gateway for all rows."""
    store = Store("memory://")
    # One of them has a question as long as an address may be, and some are of pages of other origins.
    async with running(store, GatewaySettings(gateway_port=0, question_limit=65536, cors_origins="*")) as gateway:
        gateway.worker.scripts["cat"] = [Final("", images=("https://pictures.example/1",))]
        yield gateway
    await store.close()


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
async def test_what_a_client_gets_for_the_shape_of_its_request(gateway: RunningGateway, shape: ClientShape) -> None:
    gateway.worker.asked.clear()
    async with asyncio.timeout(30):
        received = await exchange(gateway.port, shape)
    responses = parse_responses(received, shape.method)
    assert len(responses) == shape.times
    for response, body in responses:
        check(shape, response, body)
    asked = shape.expected.get("asked")
    prompts = [script_name(work) for _, work in gateway.worker.asked]
    assert prompts == ([] if asked is None else [shape.fill_in(asked)] * shape.times)


# Edits of bytes: where, how many are replaced, by what.
EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)), max_size=5)
HEADERS = st.sampled_from(
    [
        *(f"Content-Type: {kind}" for kind in ("application/json", "multipart/form-data; boundary=b", "text/plain")),
        *(f"Content-Type: application/x-www-form-urlencoded; charset={name}" for name in ("gbk", "utf-16", "hz", "x")),
        "Accept: text/event-stream",
        "Accept-Language: en",
        "Last-Event-ID: s0-00000000000000000000000000000000.3",
        "Idempotency-Key: 0123456789abcdef",
        "Prefer: wait=1",
        "X-Conversation-ID: 0123456789abcdef",
        "X-Request-ID: 1",
        "Authorization: Bearer x",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ]
)
REQUESTS = [shape for shape in SHAPES if shape.times == 1 and not (shape.waits or shape.fill)]


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, replacement in edits:
        data = data[:place] + replacement + data[place + length :]
    return data


@given(st.sampled_from(REQUESTS), EDITS, st.lists(HEADERS, max_size=3), EDITS, EDITS)
@settings(
    max_examples=2500, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
async def test_whatever_a_client_sends_its_answer_is_clear(
    gateway: RunningGateway,
    shape: ClientShape,
    line_edits: list[tuple[int, int, bytes]],
    headers: list[str],
    header_edits: list[tuple[int, int, bytes]],
    body_edits: list[tuple[int, int, bytes]],
) -> None:
    """The edits keep the request's method, and its end: a body has its length, no line break is in the head."""
    method, target, version = shape.head[0].split(" ")
    target_bytes = edited(target.encode(), line_edits).translate(None, b"\0\r\n ") or b"/"
    names = ("content-length", "transfer-encoding", "expect")
    plain_headers = [line for line in shape.head[1:] if line.partition(":")[0].lower() not in names]
    more = [edited(line.encode(), header_edits).translate(None, b"\0\r\n") for line in [*plain_headers, *headers]]
    body = edited(shape.encoded_body(), body_edits)
    lines = [b" ".join([method.encode(), target_bytes, version.encode()]), b"Host: g", b"Connection: close", *more]
    head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", b""])
    async with asyncio.timeout(30):
        received = await gateway.raw(head + body)
    # What is no HTTP gets a text, whatever its method.
    unreadable = received.startswith(b"HTTP/1.1 400 ") and b"text/plain" in received
    ((response, content),) = parse_responses(received, "GET" if unreadable else method)
    assert response.status < 500
    assert response.status != 200 or method == "HEAD" or content
    if response.status >= 400 and "json" in response.headers["content-type"] and content:
        assert list(json.loads(content)) in (["code", "message"], ["error"])


async def exchange(port: int, shape: ClientShape) -> bytes:
    """Return all that the connection gives for the requests of a row."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for number in range(shape.times):
            last = number == shape.times - 1
            head, body = shape.encoded_head("close" if last else "keep-alive"), shape.encoded_body()
            if shape.waits:
                await write(writer, head, shape.cut)
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                head = b""
            await write(writer, head + body + shape.behind.encode(), shape.cut)
            if shape.one_by_one and not last:
                received += await read_response(reader)
        return received + await reader.read()
    finally:
        writer.close()


async def write(writer: asyncio.StreamWriter, data: bytes, cut: int) -> None:
    for start in range(0, len(data), cut or len(data)):
        writer.write(data[start : start + (cut or len(data))])
        await writer.drain()


async def read_response(reader: asyncio.StreamReader) -> bytes:
    """Return a response that has a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    (line,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(line.partition(b":")[2]))


class Received(io.BytesIO):
    """A connection's bytes in place of its socket. It stays open, as a response closes it at its end."""

    def makefile(self, _: str) -> "Received":
        return self

    def close(self) -> None:
        """See above."""


def parse_responses(received: bytes, method: str) -> list[tuple[HTTPResponse, bytes]]:
    """Return the responses of a connection, each with its body without chunks."""
    connection, responses = Received(received), []
    while connection.tell() < len(received):
        response = HTTPResponse(cast(Any, connection), method=method)
        response.begin()
        responses.append((response, response.read()))
    return responses


def check(shape: ClientShape, response: HTTPResponse, body: bytes) -> None:
    """Compare a response with its row.

    `status` (200 if not given), `headers` (null: there is none), `body_is`, `begins`, `contains` and `lacks` are of the
    response. `code` and `message` are those of the old endpoints; an error holds nothing else. `error` and `object` are
    the error's code and the kind of object of the OpenAI API.
    """
    expected, text = shape.expected, body.decode()
    assert response.status == expected.get("status", 200), text
    headers = expected.get("headers", {})
    assert {name: response.headers.get(name) for name in headers} == headers
    assert text == expected.get("body_is", text)
    assert text.startswith(expected.get("begins", ""))
    assert [part for part in expected.get("contains", ()) if part not in text] == []
    assert [part for part in expected.get("lacks", ()) if part in text] == []
    if "message" in expected:
        assert text == f'{{"code": {expected["code"]}, "message": "{expected["message"]}"}}'
    elif "code" in expected:
        assert text.startswith(f'{{"code": {expected["code"]}, "message": "success", "data": ')
    if "error" in expected:
        assert list(json.loads(text)) == ["error"]
        assert json.loads(text)["error"]["code"] == expected["error"]
    if "object" in expected:
        assert json.loads(text)["object"] == expected["object"]


def test_the_table_has_rows_of_each_kind_under_names_of_their_own() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= 200
    assert len({shape.kind for shape in SHAPES}) >= 12
