"""What an open socket may ask after the file of keys has changed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from gateway.auth.clients import Clients
from gateway.auth.key_file import KeyFile
from gateway.auth.socket_client import SocketClient
from tests.support.conditions import until
from tests.support.gateway.harness import running, settings
from tests.support.gateway.key_file import ASK, QUICK, asking, line, write
from wire.jobs import Client
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

SOCKETS = [("/ws", []), ("/ws_stream", []), ("/ws_stream", ["bing-chat.v2"])]


def socket(key: str) -> HTTPConnection:
    headers = [(b"x-api-key", key.encode())]
    return HTTPConnection({"type": "websocket", "headers": headers, "client": ("192.0.2.1", 1), "query_string": b""})


async def answer(connection: ClientConnection) -> dict[str, Any]:
    """Ask, and return the last frame."""
    await connection.send(json.dumps({"type": "ask", "id": "q", **ASK}))
    async with asyncio.timeout(5):
        while True:
            frame: dict[str, Any] = json.loads(await connection.recv())
            if frame.get("type", "failed") in ("final", "failed") and frame.get("data", {}).get("done", True):
                return frame


async def test_it_is_the_client_of_the_line_as_it_is_now(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice")
    keys = KeyFile(file, "API_KEYS_FILE")
    client = SocketClient(Clients(keys), socket("alice"))
    assert client.client == client.refresh() == Client("key:alice", "alice")
    write(file, "bob", "alice 7 models=a weight=2 daily=9")
    await keys.refresh()
    await keys.refresh()
    assert client.refresh() == client.client == Client("key:alice", "alice", 7, ("a",), 2, 9)


@pytest.mark.parametrize(
    "lines", [line("bob"), line("alice").replace("alice", "alicia"), "alice " + line("bob")[4:], ""]
)
async def test_without_its_line_it_is_refused(tmp_path: Path, lines: str) -> None:
    """Neither the key's hash under another name nor its name with another hash is its line."""
    file = write(tmp_path / "keys", "alice")
    keys = KeyFile(file, "API_KEYS_FILE")
    client = SocketClient(Clients(keys), socket("alice"))
    file.write_text(lines)
    await keys.refresh()
    await keys.refresh()
    with pytest.raises(HTTPException) as refusal:
        client.refresh()
    assert refusal.value.status_code == 401


def test_without_keys_it_remains_the_address() -> None:
    client = SocketClient(Clients(), socket("anything"))
    assert client.refresh() == client.client == Client("address:192.0.2.1")


@pytest.mark.parametrize(("path", "subprotocols"), SOCKETS)
async def test_a_changed_line_counts_on_open_sockets(
    store: Store, tmp_path: Path, path: str, subprotocols: list[Subprotocol]
) -> None:
    file = write(tmp_path / "keys", "alice", "bob")
    async with running(store, settings(api_keys_file=file), timings=QUICK) as gateway:
        headers = {"x-api-key": "alice"}
        async with gateway.socket(path, subprotocols=subprotocols, additional_headers=headers) as connection:
            assert (await answer(connection)).get("code", 200) == 200
            write(file, "alice daily=1")
            await until(asking(gateway, "bob", 401))
            # What was asked before there was a limit doesn't count.
            assert (await answer(connection)).get("code", 200) == 200
            assert (await answer(connection))["code"] == 429
            write(file, "alice daily=9", "bob")
            await until(asking(gateway, "bob", 200))
            assert (await answer(connection)).get("code", 200) == 200
    assert len(gateway.worker.asked) == 3
