"""Running and ending a gateway."""

import asyncio
import contextlib
import os
import socket
import sys
import time

import pytest
from websockets.asyncio.client import connect

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import Timings
from gateway.server import serve
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, frames_of, running, settings
from tests.support.prerequisites import unavailable
from tests.support.tcp_table import TcpConnection, tcp_connections
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

ASK = {"style": "balanced", "question": "slow"}


async def test_a_drain_lets_running_answers_end(store: Store) -> None:
    active_requests, listening = ActiveRequests(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings(), store, active_requests, ready=listening.set_result))
    await listening
    async with asyncio.timeout(5):
        async with active_requests.track(60):
            active_requests.drain()
            done, _ = await asyncio.wait([serving], timeout=0.3)
            assert not done
        await serving


async def test_a_drain_cuts_what_takes_too_long(store: Store) -> None:
    async with running(store, settings(drain_timeout=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
            answer = asyncio.create_task(gateway.client.get("/api_stream", params=ASK))
            await until(lambda: bool(gateway.worker.asked))
            gateway.active_requests.drain()
            assert frames_of((await answer).content)[-1]["code"] == 503


async def test_a_cut_ends_within_two_seconds_whatever_is_open(store: Store) -> None:
    active_requests, listening = ActiveRequests(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings(), store, active_requests, ready=listening.set_result))
    address: str = await listening
    port = int(address.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\n{")
    async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None):
        began = time.monotonic()
        active_requests.abort()
        await serving
        assert time.monotonic() - began < 2
    writer.close()
    assert b"HTTP/1.1 200" not in await reader.read()


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1",
        b"GET /api HTTP/1.1",
        b"GET /api_stream?style=balanced&question=hi HTTP/1.1",
        b"OPTIONS /api HTTP/1.1\r\nAccess-Control-Request-Method: POST",
        b"GET /metrics HTTP/1.1",
        b"GET /readyz HTTP/1.1",
        b"GET /v1/nothing HTTP/1.1",
        b"GET /docs HTTP/1.1",
        b"GET /pictures/none HTTP/1.1",
        b"GET /\xff\xff HTTP/1.1",
        b"GET /api HTTP/1.1\r\nContent-Length: x",
        b"no request",
    ],
)
async def test_no_response_may_be_taken_for_another_kind_of_content(store: Store, request_line: bytes) -> None:
    async with running(store) as gateway:
        received = await gateway.raw(request_line + b"\r\nHost: g\r\nConnection: close\r\n\r\n")
    head = received.partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"\r\nx-content-type-options: nosniff") == 1


def ask(client: socket.socket, request: bytes = b"GET /readyz HTTP/1.1\r\nHost: g\r\n\r\n") -> bytes:
    """Send a request and return everything up to the connection's end."""
    received = b""
    client.settimeout(5)
    client.sendall(request)
    while data := client.recv(65536):
        received += data
    return received


def ask_until_nobody_listens(port: int) -> list[bytes]:
    """Return what each connection got that the kernel has made."""
    responses: list[bytes] = []
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=0.5)
        except OSError:
            return responses
        with client:
            responses.append(ask(client))


async def test_every_connection_that_is_made_while_it_goes_down_is_answered(store: Store) -> None:
    async with running(store) as gateway:
        asking = [asyncio.create_task(asyncio.to_thread(ask_until_nobody_listens, gateway.port)) for _ in range(4)]
        gateway.active_requests.drain()
        responses = [response for each in await asyncio.gather(*asking) for response in each]
    assert responses
    assert {response.split(b"\r\n")[0] for response in responses} == {b"HTTP/1.1 503 Service Unavailable"}
    assert all(b"\r\nconnection: close\r\n" in response for response in responses)


async def test_a_connection_that_was_silent_so_far_is_answered_while_it_closes(store: Store) -> None:
    """A new one, and one that was kept open behind an earlier answer."""
    async with running(store) as gateway:
        new, used = (socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(2))
        with new, used:
            used.sendall(b"HEAD /api HTTP/1.1\r\nHost: g\r\n\r\n")
            assert (await asyncio.to_thread(used.recv, 65536)).endswith(b"\r\n\r\n")
            gateway.active_requests.drain()
            while await asyncio.to_thread(connects, gateway.port):
                pass
            query = b"GET /api?style=balanced&question=hi HTTP/1.1\r\nHost: g\r\n\r\n"
            for client in (new, used):
                response = await asyncio.to_thread(ask, client, query)
                assert response.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nretry-after: 1\r\n" in response
    assert not gateway.worker.asked


def connects(port: int) -> bool:
    """Return whether a connection is made within a tenth of a second."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.1).close()
    except OSError:
        return False
    return True


async def test_a_request_that_does_not_arrive_whole_is_refused_at_the_end(store: Store) -> None:
    async with running(store) as gateway:
        begun = b"POST /api HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\n{"
        asking = asyncio.create_task(gateway.raw(begun))
        await until(lambda: bool(gateway.active_requests._reading), "its body is read")
        gateway.active_requests.drain()
        response = await asking
    assert response.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in response


async def test_cancelling_ends_it_too(store: Store) -> None:
    active_requests, listening = ActiveRequests(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings(), store, active_requests, ready=listening.set_result))
    address: str = await listening
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(OSError, match=r"refused|failed"):
        await asyncio.open_connection("127.0.0.1", int(address.rsplit(":", 1)[1]))


async def test_a_port_that_is_taken_is_an_oserror(gateway: RunningGateway, store: Store) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve(settings().model_copy(update={"gateway_port": gateway.port}), store, ActiveRequests())


async def test_a_start_that_fails_is_an_error_and_no_endless_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("uvicorn.Server.startup", fail)
    async with asyncio.timeout(5):
        with pytest.raises(OSError, match="no room"):
            await serve(settings(), store, ActiveRequests())


async def test_the_address_may_be_reported_to_nobody(store: Store) -> None:
    active_requests = ActiveRequests()
    active_requests.drain()
    async with asyncio.timeout(5):
        await serve(settings(), store, active_requests)


async def test_an_ipv6_host_is_reported_in_brackets(store: Store) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        unavailable("IPv6")
    active_requests, addresses = ActiveRequests(), list[str]()
    active_requests.drain()
    await serve(settings(gateway_host="::1"), store, active_requests, ready=addresses.append)
    assert addresses[0].startswith("http://[::1]:")


async def test_small_writes_are_not_held_back(gateway: RunningGateway) -> None:
    """Nagle's delay is off on the server's side of a connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    client = writer.get_extra_info("sockname")
    with await until(lambda: socket_with_peer(client), "the connection is accepted") as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()
    await writer.wait_closed()


def socket_with_peer(address: tuple[str, int]) -> socket.socket | None:
    """Return a duplicate of this process's socket that is connected to the address."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                continue
            duplicate = socket.socket(fileno=os.dup(descriptor))
            with contextlib.suppress(OSError):
                if duplicate.getpeername() == address:
                    return duplicate
            duplicate.close()
    return None


# The kernel's code for a timer that sends the next keep-alive probe.
KEEPALIVE_PROBE = "02"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


async def test_a_client_that_answers_no_ping_is_dropped(store: Store) -> None:
    async with running(store, worker=False, timings=Timings(socket_ping_every=0.1)) as gateway:
        everything = await gateway.raw(HANDSHAKE)
        _, _, frames = everything.partition(b"\r\n\r\n")
        assert frames[:2] == b"\x89\x04", "a ping"
        assert frames[6:10] == b"\x88\x18\x03\xf3", "the close, with 1011"
        await until(lambda: not gateway.active_requests._sockets)


async def test_a_pipelined_and_a_broken_request_are_answered(gateway: RunningGateway) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\nGET /healthz HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"
    assert (await gateway.raw(request)).count(b"HTTP/1.1 200 OK") == 2
    assert (await gateway.raw(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")


async def test_a_client_that_says_nothing_is_soon_asked_for_a_sign_of_life(gateway: RunningGateway) -> None:
    if sys.platform != "linux":
        unavailable("Linux")
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    port = writer.get_extra_info("sockname")[1]
    connection = await until(lambda: accepted_connection(gateway.port, port), "the connection is accepted")
    assert (connection.timer, connection.expires <= 1500) == (KEEPALIVE_PROBE, True)
    writer.close()


def accepted_connection(port: int, client_port: int) -> TcpConnection | None:
    """Return the gateway's end of a connection."""
    matching = (end for end in tcp_connections() if (end.local_port, end.remote_port) == (port, client_port))
    return next(matching, None)
