"""How the state of the system is read for all open consoles."""

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import gateway.console.poller
from gateway.answering.timings import Timings
from gateway.console.poller import Poller
from tests.support.conditions import until
from tests.support.gateway import console_client
from tests.support.gateway.console_client import looking, sees
from wire.audit_log import AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import AccountRecord, AccountStatus, Ledger
from wire.overview import Overview
from wire.redis.store import Store
from wire.reporter import HOURS
from wire.store_memory import StoreMemory

pytestmark = pytest.mark.anyio


OFTEN = 0.05

console = partial(console_client.console, timings=Timings(console_poll_every=OFTEN))


def build_poller(store: Store, poll_every: float) -> Poller:
    return Poller(Overview(store), Ledger(store), AuditLog(store), StoreMemory(store), poll_every=poll_every)


@pytest.fixture
def poller(store: Store) -> Poller:
    return build_poller(store, OFTEN)


def poller_tasks() -> list[str]:
    """Tasks of the console's that run in this process, gateway and test together."""
    names = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [name for name in names if "Poller." in name or "ConsoleStream" in name]


async def test_all_consoles_share_one_poll_that_ends_with_the_last(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = 0
    read_queue = Overview.read_queue

    async def count_poll(self: Overview, first: int) -> object:
        nonlocal polls
        polls += 1
        return await read_queue(self, first)

    monkeypatch.setattr(Overview, "read_queue", count_poll)
    async with console(store, tmp_path, timings=Timings(console_poll_every=0.2)) as gateway_:
        async with looking(gateway_) as first, looking(gateway_) as second, looking(gateway_) as third:
            await sees(lambda: first.state and second.state and third.state)
            before, began = polls, asyncio.get_running_loop().time()
            await until(lambda: polls >= before + 3)
            assert polls - before <= (asyncio.get_running_loop().time() - began) / 0.2 + 1
        await until(lambda: not poller_tasks())
        after = polls
        assert (await gateway_.client.get("/readyz")).status_code == 200
        assert polls == after


async def test_an_outage_of_redis_is_shown_until_it_ends(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        await sees(lambda: page.state)

        async def away(*_: object) -> None:
            raise StoreUnavailableError("away")

        with monkeypatch.context() as patched:
            patched.setattr(Overview, "read_queue", away)
            await sees(lambda: page.names[-1] == "away")
        await sees(lambda: page.names[-1] != "away")
        assert "state" in page.names[page.names.index("away") :]


async def test_a_poll_that_fails_is_logged_and_the_next_one_comes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(store, tmp_path) as gateway_, looking(gateway_) as page:
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(gateway.console.poller, "build_snapshot", lambda *_: 1 / 0)
            await sees(lambda: "away" in page.names)
        await sees(lambda: page.names[-1] != "away")
        assert "console poll failed" in [entry["event"] for entry in logs]


async def test_a_second_subscriber_gets_the_snapshot_at_once(store: Store) -> None:
    poller = build_poller(store, poll_every=60)
    first, second = asyncio.Event(), asyncio.Event()
    with poller.subscribe(first):
        assert not first.is_set()
        await until(first.is_set)
        with poller.subscribe(second):
            assert second.is_set()
            assert poller.subscribers == 2
        assert poller.snapshot.state


async def test_the_last_subscriber_ends_the_polling_and_drops_the_snapshot(poller: Poller) -> None:
    changed = asyncio.Event()
    with poller.subscribe(changed):
        await until(changed.is_set)
    assert poller.subscribers == 0
    assert poller.snapshot.state == b""
    await until(lambda: not poller_tasks())


async def test_a_poll_is_brought_forward_after_a_change(store: Store) -> None:
    poller = build_poller(store, poll_every=60)
    changed = asyncio.Event()
    with poller.subscribe(changed):
        await until(changed.is_set)
        changed.clear()
        await Ledger(store).announce(AccountRecord("alice", "print"), AccountStatus("alice"))
        poller.poll_soon()
        await until(changed.is_set)
        assert b'"alice"' in poller.snapshot.state


async def test_only_minutes_that_may_still_grow_are_read_again(poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[list[int]] = []

    async def read_counts(_: Overview, minutes: Iterable[int]) -> dict[int, dict[str, int]]:
        reads.append(list(minutes))
        return {minute: {"done": len(reads)} for minute in reads[-1]}

    monkeypatch.setattr(Overview, "read_counts", read_counts)
    with poller.subscribe(asyncio.Event()):
        await until(lambda: len(reads) >= 2)
        minutes = poller.snapshot.minutes
    now = reads[0][-1]
    assert reads[0] == list(range(now - HOURS * 60, now + 1))
    assert reads[1][0] == now - 3
    assert minutes[now - 4] == {"done": 1}


async def test_events_are_kept_once_the_oldest_first_and_the_last_two_hundred(store: Store, poller: Poller) -> None:
    audit_log = AuditLog(store)

    def numbers() -> list[int]:
        return [int(event.fields["number"]) for event in poller.snapshot.events]

    for number in range(3):
        await audit_log.record("order", number=str(number))
    with poller.subscribe(asyncio.Event()):
        await until(lambda: numbers() == [0, 1, 2])
        for number in range(3, 205):
            await audit_log.record("order", number=str(number))
        await until(lambda: numbers() == list(range(5, 205)))
