import asyncio
import time

import aiohttp
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.emulator.client import Client, question, until

pytestmark = pytest.mark.anyio


async def test_it_says_where_it_serves(bing: Emulator, session: aiohttp.ClientSession) -> None:
    assert bing.chat_url == bing.url.replace("http", "ws") + "/sydney/ChatHub"
    assert bing.create_url == bing.url + "/turing/conversation/create"
    async with session.get(f"{bing.url}/_health") as response:
        assert await response.json() == {"status": "ok"}


async def test_it_leaves_quickly_while_answers_run(session: aiohttp.ClientSession) -> None:
    async with Emulator(EmulatorSettings(port=0, pace=1)) as bing:
        client = Client(session, bing.url, "a1")
        sockets = [await client.open() for _ in range(3)]
        texts = ("hello", "hello !silence", "hello !deltas=1000 !rate=20")
        for socket, text in zip(sockets, texts, strict=True):
            await socket.send_str(question(await client.create(), text))
        await client.script(account="a1", create={"outcome": "never"})
        never = asyncio.create_task(client.create())
        await until(lambda: len(bing.ledger.turns) == 3 and len(bing.ledger.creates) == 4)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    with pytest.raises(aiohttp.ClientError):
        await never
    assert [entry.outcome for entry in bing.ledger.turns] == ["client gone"] * 3
    for socket in sockets:
        await socket.close()


async def test_a_taken_port_is_an_error(bing: Emulator) -> None:
    port = int(bing.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"):
        async with Emulator(EmulatorSettings(port=port)):
            pass


async def test_hundreds_of_streams_at_once(client: Client, bing: Emulator) -> None:
    made = [await client.create() for _ in range(200)]
    heard = await asyncio.gather(*(client.ask(one, "hello !deltas=5 !rate=20") for one in made))
    assert all(one.item["result"]["value"] == "Success" for one in heard)
    assert sum(entry.deltas for entry in bing.ledger.turns) == 1000
