import asyncio
import time

import aiohttp
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.conditions import until
from tests.support.emulator.bing_client import BingClient, question

pytestmark = pytest.mark.anyio


async def test_it_knows_where_it_serves(upstream: Emulator, session: aiohttp.ClientSession) -> None:
    assert upstream.chat_url == upstream.url.replace("http", "ws") + "/sydney/ChatHub"
    assert upstream.create_url == upstream.url + "/turing/conversation/create"
    async with session.get(f"{upstream.url}/_health") as response:
        assert await response.json() == {"status": "ok"}


async def test_it_leaves_quickly_while_answers_run(session: aiohttp.ClientSession) -> None:
    async with Emulator(EmulatorSettings(port=0, pace=1)) as upstream:
        client = BingClient(session, upstream.url, "a1")
        sockets = [await client.open() for _ in range(3)]
        texts = ("hello", "hello !silence", "hello !deltas=1000 !rate=20")
        for socket, text in zip(sockets, texts, strict=True):
            await socket.send_str(question(await client.create(), text))
        await client.script(account="a1", create={"outcome": "never"})
        never = asyncio.create_task(client.create())
        await until(lambda: len(upstream.ledger.turns) == 3 and len(upstream.ledger.creates) == 4)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    with pytest.raises(aiohttp.ClientError):
        await never
    assert [entry.outcome for entry in upstream.ledger.turns] == ["client gone"] * 3
    for socket in sockets:
        await socket.close()


async def test_a_taken_port_is_an_error(upstream: Emulator) -> None:
    port = int(upstream.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"):
        async with Emulator(EmulatorSettings(port=port)):
            pass


async def test_hundreds_of_streams_at_once(client: BingClient, upstream: Emulator) -> None:
    conversations = [await client.create() for _ in range(200)]
    replies = await asyncio.gather(
        *(client.ask(conversation, "hello !deltas=5 !rate=20") for conversation in conversations)
    )
    assert all(reply.item["result"]["value"] == "Success" for reply in replies)
    assert sum(entry.deltas for entry in upstream.ledger.turns) == 1000
