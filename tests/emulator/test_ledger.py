import msgspec
import pytest

from emulator.ledger import REQUESTS, CreateEntry, TurnEntry, UpstreamLedger, finish
from emulator.received_request import ReceivedRequest
from emulator.server import Emulator
from tests.support.emulator.bing_client import BingClient

pytestmark = pytest.mark.anyio


def test_only_the_newest_entries_are_kept() -> None:
    ledger = UpstreamLedger(limit=2)
    ledger.creates.extend(CreateEntry(float(number), "a1") for number in range(3))
    assert [entry["started"] for entry in msgspec.json.decode(ledger.encode())["creates"]] == [1.0, 2.0]


def test_the_first_outcome_stays() -> None:
    entry = CreateEntry(1.0, "a1")
    finish(entry, "success", 2.0)
    finish(entry, "client gone", 3.0)
    assert (entry.outcome, entry.ended) == ("success", 2.0)


def test_only_the_newest_turns_have_what_was_received() -> None:
    ledger = UpstreamLedger()
    for number in range(REQUESTS + 2):
        turn = TurnEntry(1.0, "a1", "c1", "1", str(number), False, request=ReceivedRequest([]))
        ledger.add_turn(turn)
    assert [turn.request is None for turn in ledger.turns] == [True, True] + [False] * REQUESTS


async def test_every_create_and_question_is_listed_with_its_account(client: BingClient, stranger: BingClient) -> None:
    for asker in (client, stranger):
        await asker.ask(await asker.create(), "hello")
    entries = await client.ledger()
    assert [entry["account"] for entry in entries["creates"]] == ["a1", "anonymous"]
    assert [entry["account"] for entry in entries["turns"]] == ["a1", "anonymous"]
    assert list(entries["turns"][0]) == list(TurnEntry.__struct_fields__)
    turn = entries["turns"][0]
    assert turn["conversation"] == entries["creates"][0]["conversation"]
    assert (turn["invocation"], turn["question"], turn["start_of_session"]) == ("3", "hello", True)
    assert turn["started"] <= turn["ended"]
    assert turn["deltas"] > 5


async def test_a_socket_that_asks_nothing_is_no_turn(client: BingClient, upstream: Emulator) -> None:
    await (await client.open()).close()
    assert not upstream.ledger.turns
