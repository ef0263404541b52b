import asyncio

import pytest

from tests.support.conditions import SOON, until
from tests.support.worker.keeping_server import KeepingServer
from tests.support.worker.openai_server import answering, whole
from wire.reasons import Reason
from worker.accounts.account import ServerAccount
from worker.errors import UpstreamError
from worker.providers.connections import connection_pool
from worker.providers.openai.client import FailureReasons, ServerClient, bearer_headers, endpoint_url
from worker.providers.sent_mark import SendHook


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("http://host:11434/v1", "http://host:11434/v1/chat/completions"),
        ("http://host:11434/v1/", "http://host:11434/v1/chat/completions"),
        ("https://host", "https://host/chat/completions"),
        (
            "https://me.openai.azure.com/openai/deployments/gpt%204?api-version=2024-10-21",
            "https://me.openai.azure.com/openai/deployments/gpt%204/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://me.openai.azure.com/openai/v1/?api-version=preview",
            "https://me.openai.azure.com/openai/v1/chat/completions?api-version=preview",
        ),
    ],
)
def test_the_path_is_put_behind_the_servers_own_and_before_its_query(base: str, whole: str) -> None:
    assert str(endpoint_url(ServerAccount("a", base, "m"), "/chat/completions")) == whole


@pytest.mark.parametrize(
    ("base", "key", "headers"),
    [
        ("https://api.example/v1", "k", {b"Authorization": b"Bearer k"}),
        ("https://me.openai.azure.com/openai/v1/", "k", {b"Authorization": b"Bearer k", b"api-key": b"k"}),
        ("https://me.azure.com.example/v1", "k", {b"Authorization": b"Bearer k"}),
        ("http://127.0.0.1:11434/v1", "", {}),
    ],
)
def test_the_key_goes_out_as_a_bearer_and_to_azure_in_its_own_header_too(
    base: str, key: str, headers: dict[bytes, bytes]
) -> None:
    assert bearer_headers(ServerAccount("a", base, "m", key)) == headers


@pytest.mark.anyio
async def test_a_kept_connection_that_is_cut_is_reported_by_name_and_asked_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_pool.ConnectionPool.__init__, "__kwdefaults__", {"idle": SOON, "proof": 0.0})
    marks: list[int] = []

    async def mark() -> None:
        marks.append(1)

    async def ask(client: ServerClient, server_stub: KeepingServer) -> None:
        reasons = FailureReasons(Reason.TIMEOUT_IDLE, Reason.QUESTION_REFUSED)
        asking = client.post(server_stub.account(), "/chat/completions", b"{}", SendHook(mark), reasons)
        async with asyncio.timeout(SOON), asking as response:
            assert b"".join([part async for part in response.aiter_raw()]) == whole("hello")

    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    client = ServerClient(SOON)
    async with KeepingServer() as server_stub:
        server_stub.play = answering(whole("hello"))
        await ask(client, server_stub)
        pool = client._connections._pools["local"][1]
        await until(lambda: pool._is_keeper, "the server is trusted")
        await ask(client, server_stub)
        server_stub.play = hang_up
        with pytest.raises(UpstreamError) as caught:
            await ask(client, server_stub)
        assert (caught.value.reason, caught.value.detail) == ("transport.closed", "ReusedConnectionClosedError")
        assert not caught.value.refused
        assert (len(server_stub.asked), len(marks), server_stub.connections) == (3, 3, 2)
        client.close()
