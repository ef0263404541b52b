"""Each row of the table does what its meaning describes, as a plain client sees it."""

from pathlib import Path

import aiohttp
import pytest

import emulator
from emulator import directives
from emulator.bing import outcomes
from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator.bing_client import BingClient, listen, question
from tests.support.emulator.bing_outcomes import ANSWERED

pytestmark = pytest.mark.anyio

SUCCESS = [
    *ANSWERED,
    "disengaged",
    "disengaged-mid",
    "turn-limit",
    "empty",
    "pause-mid",
    "wrong-types",
    "split-record",
]
VALUES = {
    "throttled": "Throttled",
    "throttled-after-text": "Throttled",
    "captcha": "CaptchaChallenge",
    "invalid-session": "InvalidSession",
    "unauthorized": "UnauthorizedRequest",
    "unauthorized-signature": "UnauthorizedRequest",
    "unauthorized-expired": "UnauthorizedRequest",
    "forbidden": "Forbidden",
    "invalid-request": "InvalidRequest",
    "unknown-value": "SomethingNew",
    "internal": "InternalError",
    "internal-after-text": "InternalError",
    "no-result": "no result",
    "no-item": "no item",
} | dict.fromkeys(SUCCESS, "Success")
CLOSED = ("close-before", "close-mid", "close-late", "type7-close")
RESET = ("reset-before", "reset-mid")
HELD = [
    "silence",
    "silence-mid",
    "silence-late",
    "type7",
    "type3",
    "type3-error",
    "binary",
    "empty-messages",
    "big",
    "bad-json",
    "not-object",
    "no-arguments",
]


def test_every_outcome_is_tested_here() -> None:
    assert set(outcomes.CHAT) == {*VALUES, *CLOSED, *RESET, *HELD}


def test_the_readme_lists_every_word_with_its_meaning() -> None:
    readme = (Path(str(emulator.__file__)).parent / "README.md").read_text(encoding="utf-8")
    meanings = {name: row.meaning for name, row in outcomes.CHAT.items()}
    for table in (meanings, outcomes.CREATE, outcomes.UPGRADE, outcomes.IMAGE):
        for name, meaning in table.items():
            assert f"| `{name}` | {meaning} |" in readme
    for name, meaning in directives.OPTIONS.items():
        assert f"| `{name}" in readme
        assert meaning in readme


@pytest.mark.parametrize("name", [name for name in VALUES if name not in ("split-record", "pause-mid", "no-item")])
async def test_turns_with_a_final_record(client: BingClient, upstream: Emulator, name: str) -> None:
    reply = await client.ask(await client.create(), f"tell me something !{name}")
    result = reply.item.get("result", {"value": "no result"})
    assert result["value"] == upstream.ledger.turns[0].outcome == VALUES[name]
    assert upstream.ledger.turns[0].scripted == name
    assert upstream.ledger.turns[0].ended is not None
    refused = VALUES[name] not in ("Success", "InvalidSession", "no result")
    assert ("error" in result) == refused


@pytest.mark.parametrize("name", CLOSED)
async def test_turns_that_end_with_a_close(client: BingClient, upstream: Emulator, name: str) -> None:
    reply = await client.ask(await client.create(), f"hello !{name}")
    assert reply.close_code == 1000
    assert all(record["type"] != 2 for record in reply.records)
    assert upstream.ledger.turns[0].outcome == "closed"
    assert (reply.records == []) == (name == "close-before")


@pytest.mark.parametrize("name", RESET)
async def test_turns_that_end_with_a_reset(client: BingClient, upstream: Emulator, name: str) -> None:
    reply = await client.ask(await client.create(), f"hello !{name}")
    assert reply.close_code == 1006
    assert upstream.ledger.turns[0].outcome == "reset"


@pytest.mark.parametrize("name", HELD)
async def test_turns_that_end_only_when_the_client_leaves(client: BingClient, upstream: Emulator, name: str) -> None:
    socket = await client.open()
    await socket.send_str(question(await client.create(), f"hello !{name}"))
    kinds, sizes = await until_silent(socket)
    assert upstream.ledger.turns[0].outcome == "running"
    assert (aiohttp.WSMsgType.BINARY in kinds) == (name == "binary")
    assert (sizes.count(0) == 5) == (name == "empty-messages")
    assert (max(sizes, default=0) > 4 * 1024 * 1024) == (name == "big")
    assert (sizes == []) == (name == "silence")
    await socket.close()
    await until(lambda: upstream.ledger.turns[0].outcome == "client gone")


async def until_silent(socket: aiohttp.ClientWebSocketResponse) -> tuple[list[aiohttp.WSMsgType], list[int]]:
    """Kinds and sizes of the messages before the socket falls silent."""
    kinds: list[aiohttp.WSMsgType] = []
    sizes: list[int] = []
    while True:
        try:
            message = await socket.receive(timeout=0.15)
        except TimeoutError:
            return kinds, sizes
        kinds.append(message.type)
        sizes.append(len(message.data))


async def test_once_applies_to_the_first_arrival_only(client: BingClient) -> None:
    values = [(await client.ask(await client.create(), "hello !throttled !once")).item["result"]["value"] for _ in "ab"]
    assert values == ["Throttled", "Success"]


async def test_the_middle_can_be_chosen(client: BingClient, upstream: Emulator) -> None:
    await client.ask(await client.create(), "hello !close-mid !at=7")
    assert upstream.ledger.turns[0].deltas == 7


@pytest.mark.parametrize(("word", "length"), [("long=5000", 5000), ("long=10", 10)])
async def test_an_answer_can_have_any_length(client: BingClient, word: str, length: int) -> None:
    reply = await client.ask(await client.create(), f"hello !{word}")
    assert len(reply.answer) == length
    assert len(reply.texts) <= 402


async def test_the_first_text_can_be_late(client: BingClient, upstream: Emulator) -> None:
    socket = await client.open()
    await socket.send_str(question(await client.create(), "hello !first=0.2"))
    reply = await listen(socket)
    entry = upstream.ledger.turns[0]
    assert entry.ended is not None
    assert entry.ended - entry.started >= 0.2
    assert reply.texts[-1] == reply.answer
    await socket.close()
