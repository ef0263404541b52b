import asyncio
import socket
import ssl
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvloop

from tests.support.conditions import SOON
from tests.support.outbound_proxy import OutboundProxy
from tests.worker.providers.connections.conftest import TlsServer
from worker.providers.connections.dialer import Dialer
from worker.providers.connections.http_connection import HttpConnection
from worker.providers.connections.server_origin import ServerOrigin

pytestmark = pytest.mark.anyio

REQUEST = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both loops, since each has a TLS of its own."""
    return ("asyncio", {"loop_factory": uvloop.new_event_loop} if request.param == "uvloop" else {})


def origin_of(server: TlsServer, host: str = "localhost") -> ServerOrigin:
    return ServerOrigin(True, host, server.port, b"h")


def dialer_for(server: TlsServer, limit: float = SOON) -> Dialer:
    dialer = Dialer(limit)
    dialer._tls.load_verify_locations(server.certificate)
    return dialer


async def ask(connection: HttpConnection) -> ssl.SSLSession | None:
    """Ask on a connection, and return its session before it is closed."""
    async with asyncio.timeout(SOON):
        connection.ask(REQUEST)
        await connection.read_head()
        assert await connection.read() == b"hello"
    session = connection.tls_session
    connection.close()
    return session


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("scheme", [None, "http", "socks5"])
async def test_a_session_is_resumed_with_and_without_a_proxy(
    tls_server: TlsServer, host: str, scheme: str | None
) -> None:
    dialer = dialer_for(tls_server)
    async with OutboundProxy() as proxy:
        address = proxy.url(scheme) if scheme else None
        session = await ask(await dialer.open(origin_of(tls_server, host), address, None))
        assert session is not None
        await ask(await dialer.open(origin_of(tls_server, host), address, session))
        await ask(await dialer.open(origin_of(tls_server, host), address, None))
    assert tls_server.resumed == [False, True, False]
    assert len(proxy.targets) == (3 if scheme else 0)


async def test_a_certificate_of_nobody_known_is_refused(tls_server: TlsServer) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        await Dialer(SOON).open(origin_of(tls_server), None, None)


@pytest.mark.parametrize("scheme", [None, "http", "socks5"])
async def test_a_host_that_says_nothing_to_tls_is_given_up_in_time(scheme: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = ServerOrigin(True, "127.0.0.1", listener.getsockname()[1], b"h")
        async with OutboundProxy() as proxy:
            with pytest.raises(httpx.ConnectTimeout):
                await Dialer(0.2).open(origin, proxy.url(scheme) if scheme else None, None)


async def test_a_closed_port_and_an_unknown_name_can_not_be_reached() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        closed = ServerOrigin(False, "127.0.0.1", listener.getsockname()[1], b"h")
        for origin in (closed, replace(closed, host="nowhere.invalid"), replace(closed, host="a" * 70)):
            with pytest.raises(httpx.ConnectError):
                await Dialer(SOON).open(origin, None, None)


async def test_servers_whose_name_nobody_finds_hold_up_no_other(
    tls_server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, find = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        if host != "silent.example":
            return find(host, port, **options)
        if not options.get("flags"):
            let_go.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    dialer = dialer_for(tls_server)
    silent = replace(origin_of(tls_server), host="silent.example", is_tls=False)
    waiting = [asyncio.create_task(dialer.open(silent, None, None)) for _ in range(100)]
    try:
        await asyncio.sleep(0)
        await ask(await dialer.open(origin_of(tls_server), None, None))
    finally:
        for task in waiting:
            task.cancel()
        let_go.set()
        await asyncio.wait(waiting)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_refuses_is_known(scheme: str) -> None:
    async with OutboundProxy() as proxy:
        proxy.refuse = True
        with pytest.raises(httpx.ProxyError):
            await Dialer(SOON).open(ServerOrigin(False, "h", 80, b"h"), proxy.url(scheme), None)
