import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.conditions import SOON, until
from tests.support.worker.keeping_server import KeepingServer
from tests.worker.providers.connections.conftest import TlsServer
from worker.accounts.account import ServerAccount
from worker.providers.connections import connection_pool
from worker.providers.connections.http_connection import ReusedConnectionClosedError
from worker.providers.connections.request_bytes import write_request
from worker.providers.connections.server_connections import ServerConnections
from worker.providers.connections.server_origin import locate
from worker.providers.sent_mark import SendHook

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust a server soon, and keep connections for as long as a test takes."""
    monkeypatch.setattr(connection_pool.ConnectionPool.__init__, "__kwdefaults__", {"idle": SOON, "proof": 0.0})


async def unmarked() -> None:
    """Let a question pass."""


async def ask(
    connections: ServerConnections,
    account: ServerAccount,
    mark: Callable[[], Awaitable[Any]] = unmarked,
    body: bytes = b"q",
) -> bytes:
    async with asyncio.timeout(SOON):
        origin, target = locate(httpx.URL(account.base_url))
        request = write_request("POST", origin, target, {}, body)
        answer = b""
        async with connections.send(account, origin, request, SendHook(mark)) as connection:
            while part := await connection.read():
                answer += part
        return answer


async def trust(connections: ServerConnections, server_stub: KeepingServer, account: ServerAccount) -> None:
    """Ask once, and wait until the server is known to keep connections."""
    await ask(connections, account)
    pool = connections._pools[account.name][1]
    await until(lambda: pool._is_keeper, "the server is trusted")
    server_stub.connections = 0


async def test_a_question_goes_over_the_connection_of_the_one_before() -> None:
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        await trust(connections, server_stub, server_stub.account())
        for _ in range(5):
            assert await ask(connections, server_stub.account())
        assert (server_stub.connections, len(server_stub.asked)) == (1, 6)
        connections.close()


async def test_each_account_has_connections_of_its_own_and_a_changed_one_new_ones() -> None:
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        await trust(connections, server_stub, server_stub.account("a"))
        await ask(connections, server_stub.account("a"))
        assert server_stub.connections == 1
        await ask(connections, server_stub.account("b"))
        assert server_stub.connections == 2
        await ask(connections, server_stub.account("a", key="another"))
        assert server_stub.connections == 3
        connections.close()


async def test_the_mark_is_set_on_a_kept_connection_before_the_question_is_written() -> None:
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        await trust(connections, server_stub, server_stub.account())
        await ask(connections, server_stub.account())
        seen: list[tuple[int, int]] = []

        async def mark() -> None:
            seen.append((server_stub.connections, server_stub.bytes))

        await ask(connections, server_stub.account(), mark)
        assert seen == [(1, 2)]
        connections.close()


async def test_a_veto_writes_nothing_to_a_kept_connection() -> None:
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        await trust(connections, server_stub, server_stub.account())
        await ask(connections, server_stub.account())

        async def refuse() -> None:
            raise RuntimeError("stale")

        with pytest.raises(RuntimeError, match="stale"):
            await ask(connections, server_stub.account(), refuse)
        assert await ask(connections, server_stub.account())
        assert len(server_stub.asked) == 3
        connections.close()


async def test_one_that_is_lost_while_the_mark_is_set_is_replaced() -> None:
    """Nothing was written to it, so the question is still asked once."""
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        await trust(connections, server_stub, server_stub.account())
        await ask(connections, server_stub.account())
        marks: list[int] = []

        async def mark() -> None:
            marks.append(1)
            pool = connections._pools["local"][1]
            server_stub.close_idle()
            await until(lambda: not any(connection.is_open for connection in lent), "the end is known")
            assert not pool._idle

        lent = list(connections._pools["local"][1]._idle)
        assert len(lent) == 1
        assert await ask(connections, server_stub.account(), mark)
        assert (marks, len(server_stub.asked), server_stub.connections) == ([1], 3, 2)
        connections.close()


async def test_a_cut_before_any_byte_of_a_kept_one_is_reported_and_never_asked_again() -> None:
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        await trust(connections, server_stub, server_stub.account())
        await ask(connections, server_stub.account())

        async def hang_up(writer: asyncio.StreamWriter) -> None:
            writer.close()

        answering, server_stub.play = server_stub.play, hang_up
        marks: list[int] = []

        async def mark() -> None:
            marks.append(1)

        with pytest.raises(ReusedConnectionClosedError):
            await ask(connections, server_stub.account(), mark)
        assert (marks, len(server_stub.asked)) == ([1], 3)
        server_stub.play = answering
        await ask(connections, server_stub.account())
        await ask(connections, server_stub.account())
        assert server_stub.connections == 3
        connections.close()


async def test_an_accounts_next_connection_resumes_its_tls_session_and_no_others(tls_server: TlsServer) -> None:
    connections = ServerConnections(SOON)
    connections._dialer._tls.load_verify_locations(tls_server.certificate)
    account = ServerAccount("a", f"https://localhost:{tls_server.port}/v1", "m")
    for asking in (account, account, replace(account, name="b")):
        assert await ask(connections, asking, body=b"") == b"hello"
    assert tls_server.resumed == [False, True, False]
    connections.close()


async def test_another_request_has_a_connection_that_is_closed() -> None:
    connections = ServerConnections(SOON)
    async with KeepingServer() as server_stub:
        account = server_stub.account()
        origin, target = locate(httpx.URL(account.base_url))
        request = write_request("GET", origin, target, {})
        for _ in range(2):
            async with connections.request(account, origin, request) as connection:
                assert connection.status == 200
            assert not connection.is_open
        assert server_stub.connections == 2
