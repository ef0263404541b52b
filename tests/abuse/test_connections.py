"""One client's connections at the shipped nginx leave room for those of others."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import msgspec
import pytest
from anyio.abc import SocketStream

from gateway.anthropic import errors as anthropic_errors
from gateway.errors import ERRORS, problem_for
from gateway.http.responses import encode_error
from gateway.openai import errors as openai_errors
from tests.deploy.conftest import ADDRESSES, START_LIMIT, accepts, nginx, rendered
from tests.support.abuse.crowd import crowd_at
from tests.support.conditions import until
from tests.support.deploy.upstreams import Gateway, Names, name_server, serving
from tests.support.processes import free_port
from wire.reasons import Reason

pytestmark = pytest.mark.anyio
GREEDY, OTHER, PROXY = "127.0.0.9", "127.0.0.10", "127.0.0.7"
LIMIT = 256
# The largest body that nginx reads whole, before it asks a gateway.
KEPT = 299_999
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture(params=[("worker_connections 256;", "worker_connections 256;")])
async def port(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """Nginx's port; the parameter is a line of its configuration, and what it is instead."""
    port, gateway_port = free_port(), free_port()
    async with AsyncExitStack() as stack:
        name_port = await stack.enter_async_context(name_server(Names({"gateway": [ADDRESSES[0]]})))
        await stack.enter_async_context(serving(Gateway(ADDRESSES[0]), gateway_port))
        shipped = rendered(tmp_path, port, name_port, gateway_port)
        assert request.param[0] in shipped
        stack.enter_context(nginx(tmp_path, shipped.replace(*request.param), PROXY))
        await until(lambda: accepts(port), f"nginx accepts connections, see {tmp_path}/error.log", limit=START_LIMIT)
        yield port


async def connect(stack: AsyncExitStack, port: int, address: str = GREEDY) -> SocketStream:
    return await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port, local_host=address))


async def send(stream: SocketStream, request: str) -> bytes:
    """Return the beginning of what nginx answers."""
    await stream.send(request.encode())
    with anyio.fail_after(60):
        return await stream.receive()


async def ask(port: int, address: str = OTHER) -> int:
    """Return the status of a question of another client."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(transport=transport, timeout=60, trust_env=False) as client:
        return (await client.post(f"http://127.0.0.1:{port}/api", content=b"x" * 1000)).status_code


async def open_sockets(stack: AsyncExitStack, port: int, count: int) -> Sequence[bytes]:
    """Return what a handshake is answered with, for each socket; they stay open."""
    return [await send(await connect(stack, port), UPGRADE) for _ in range(count)]


@pytest.mark.parametrize("port", [("worker_connections 256;", "worker_connections 2048;")], indirect=True)
async def test_sockets_of_one_client_leave_connections_for_others(port: int) -> None:
    async with AsyncExitStack() as stack:
        received = await open_sockets(stack, port, LIMIT + 10)
        statuses = [answer.split(b" ", 2)[1] for answer in received]
        assert statuses == [b"101"] * LIMIT + [b"429"] * 10
        assert received[-1].endswith(encode_error(problem_for(Reason.REQUEST_RATE)))
        assert b"Retry-After: 1\r\n" in received[-1]
        assert await ask(port) == 200
        fault = openai_errors.fault_of_spec(ERRORS[Reason.REQUEST_RATE])
        for path, body in (
            ("/v1/responses", lambda _: fault.body),
            ("/v1/messages", lambda request: anthropic_errors.error_of(fault, request)),
        ):
            refused = await send(await connect(stack, port), f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            error = json.loads(refused.partition(b"\r\n\r\n")[2])
            assert error == msgspec.to_builtins(body(error.get("request_id", "")))
            assert b"X-Should-Retry: true\r\n" in refused

    async def may_ask_again() -> bool:
        return await ask(port, GREEDY) == 200

    await until(may_ask_again, "the client has its connections back", limit=60)


@pytest.mark.parametrize("port", [("limit_conn clients 256;", "limit_conn clients 1;")], indirect=True)
async def test_a_client_is_an_address_or_network_also_behind_a_named_proxy(port: int) -> None:
    async with AsyncExitStack() as stack:
        for address, status in (
            ("198.51.100.1", 101),
            ("198.51.100.1", 429),
            ("198.51.100.2", 101),
            ("2001:db8:1:2::1", 101),
            ("2001:db8:1:2:ffff::1", 429),
            ("2001:db8:1:3::1", 101),
            ("2001:db8::1", 101),
            ("2001:db8::2", 429),
            ("::1", 101),
            ("::1", 429),
        ):
            request = UPGRADE.replace("Host: x", f"Host: x\r\nX-Forwarded-For: {address}")
            received = await send(await connect(stack, port, PROXY), request)
            assert received.startswith(b"HTTP/1.1 %d " % status), address


@pytest.mark.parametrize(
    "port",
    [
        (
            "limit_conn_status 429;",
            "limit_conn_status 429; limit_req_zone $client zone=requests:1m rate=1r/m; "
            "limit_req zone=requests burst=10 nodelay; limit_req_status 429;",
        )
    ],
    indirect=True,
)
async def test_an_operator_can_limit_one_clients_rate(port: int) -> None:
    """By the lines that the guide to compose names."""
    statuses = [await ask(port, GREEDY) for _ in range(12)]
    assert statuses == [200] * 11 + [429]
    async with AsyncExitStack() as stack:
        refused = await send(await connect(stack, port), "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    assert json.loads(refused.partition(b"\r\n\r\n")[2])["error"]["code"] == "rate_limit_exceeded"
    assert await ask(port) == 200


async def test_connections_that_send_nothing_are_given_up_for_others(port: int) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(300):
            await connect(stack, port)
        assert await ask(port) == 200


@pytest.mark.parametrize("port", [("worker_connections 256;", "worker_connections 16384;")], indirect=True)
async def test_a_thousand_unfinished_heads_leave_connections_for_others(port: int) -> None:
    """As many as are shipped; nginx counts a connection of a client only once its head is whole."""
    async with AsyncExitStack() as stack:
        for _ in range(1000):
            stream = await connect(stack, port)
            await stream.send(b"GET /api HTTP/1.1\r\nHost: x\r\n")
        assert await ask(port) == 200


@pytest.mark.parametrize("port", [("worker_connections 256;", "worker_connections 300;")], indirect=True)
async def test_unfinished_heads_are_given_up(port: int) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(299):
            stream = await connect(stack, port)
            await stream.send(b"GET /api HTTP/1.1\r\nHost: x\r\n")

        async def is_served() -> bool:
            try:
                return await ask(port) == 200
            except httpx.TransportError:
                return False

        await until(is_served, "there are connections again", limit=60)


async def test_unfinished_uploads_leave_room_for_the_bodies_of_others(port: int) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(58):
            stream = await connect(stack, port)
            head = f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: {KEPT}\r\n\r\n"
            await stream.send(head.encode() + b"x" * (KEPT - 1))
        assert await ask(port) == 200


@pytest.mark.parametrize("port", [("client_body_buffer_size 300k;", "client_body_buffer_size 1k;")], indirect=True)
async def test_without_a_place_for_a_body_nginx_is_busy(port: int, tmp_path: Path) -> None:
    (tmp_path / "client_body").rmdir()
    async with AsyncExitStack() as stack:
        head = "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n"
        received = await send(await connect(stack, port), head + "x" * 4000)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 2\r\n" in received
    assert received.endswith(encode_error(problem_for(Reason.QUEUE_FULL)))


async def test_many_requests_at_once_that_take_long_hold_up_nobody_else(tmp_path: Path) -> None:
    """Each is refused in the end, and until then takes a few hundredths of a second of the gateway's event loop."""
    messages = [{"role": "system", "content": "a"}] * 1900
    body = msgspec.json.encode({"model": "stand-in", "input": messages, "stream": True})
    head = (
        "POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.9\r\n"
        f"Last-Event-ID: s0-{'0' * 32}.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with crowd_at(tmp_path) as crowd, AsyncExitStack() as stack:
        await crowd.join("small")
        await crowd.answers("small")
        port = urlsplit(crowd.cluster.urls[0]).port
        assert port is not None
        streams = [await connect(stack, port) for _ in range(50)]
        sent, refused = list[SocketStream](), list[bytes]()

        async def ask_large(stream: SocketStream) -> None:
            await stream.send(head.encode() + body)
            sent.append(stream)
            refused.append(await stream.receive())

        async with anyio.create_task_group() as group:
            for stream in streams:
                group.start_soon(ask_large, stream)
            await until(lambda: len(sent) == len(streams), "all are sent")
            began = anyio.current_time()
            [exchange] = await crowd.answers("small")
            assert exchange.code == 200
            waited = anyio.current_time() - began
        assert {answer.split(b" ", 2)[1] for answer in refused} == {b"404"}
        assert waited < (anyio.current_time() - began) / 4
