"""What is special about each turn that breaks the protocol, as a plain client sees it."""

import json
from collections.abc import Callable

import pytest

from emulator.server import Emulator
from tests.support.emulator.bing_client import BingClient, SocketReply, question

pytestmark = pytest.mark.anyio

CHECKS: dict[str, Callable[[SocketReply], bool]] = {
    "no-messages": lambda reply: "messages" not in reply.item,
    "final-empty": lambda reply: reply.item["messages"] == [],
    "no-throttling": lambda reply: "throttling" not in reply.item,
    "after-final": lambda reply: [record["type"] for record in reply.records[-3:]] == [2, 3, 1],
    "unknown-type": lambda reply: 99 in [record["type"] for record in reply.records],
    "no-origin": lambda reply: "contentOrigin" not in reply.update_messages[-1] and reply.answer == reply.texts[-1],
    "final-no-origin": lambda reply: "contentOrigin" not in reply.item["messages"][-1] and reply.answer != "",
    "wrong-types": lambda reply: reply.item["messages"][-1]["text"] == 7 and reply.item["throttling"] == 3,
    "no-result": lambda reply: "result" not in reply.item and reply.answer == reply.texts[-1],
}


@pytest.mark.parametrize("name", CHECKS)
async def test_what_is_broken_about_a_turn(client: BingClient, name: str) -> None:
    reply = await client.ask(await client.create(), f"hello !{name}")
    assert CHECKS[name](reply)


async def test_a_record_split_in_two_messages(client: BingClient) -> None:
    socket = await client.open()
    await socket.send_str(question(await client.create(), "hello !split-record"))
    data = ""
    while '"type":2' not in data:
        data += await socket.receive_str(timeout=5)
    assert [json.loads(part) for part in data.split("\x1e") if part][-1]["type"] == 3
    await socket.close()


async def test_a_final_record_without_item(client: BingClient, upstream: Emulator) -> None:
    reply = await client.ask(await client.create(), "hello !no-item")
    assert reply.records[-1] == {"type": 2, "invocationId": "3"}
    assert upstream.ledger.turns[0].outcome == "no item"
