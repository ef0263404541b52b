"""A store and both sides of it, around whatever part of the worker is tested."""

from collections.abc import AsyncIterator

import pytest

import wire.schedule
from tests.worker.desk import Client, Desk, HookedStore
from tests.worker.line import Line
from wire.answers import Answers
from wire.limits import Limits
from wire.schedule import Schedule
from wire.sessions import Sessions


@pytest.fixture(autouse=True)
def short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads that wait for work end soon, and with them the workers that are drained."""
    monkeypatch.setattr(wire.schedule, "_BLOCK", 0.02)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[HookedStore]:
    store = HookedStore(store_url)
    yield store
    await store.close()


@pytest.fixture
async def client(store: HookedStore) -> AsyncIterator[Client]:
    async with Answers(store) as answers:
        yield Client(store, answers)


@pytest.fixture
async def desk(client: Client) -> AsyncIterator[Desk]:
    sessions = Sessions(client.store, Limits(lease_ttl=60.0))
    async with Schedule(client.store, "desk", 15.0) as schedule:
        await schedule.prepare()
        yield Desk(client, sessions, schedule)


@pytest.fixture
async def line(valkey_url: str) -> AsyncIterator[Line]:
    """A line to the real server, mended."""
    host, _, port = valkey_url.removeprefix("redis://").removesuffix("/0").partition(":")
    line = Line(host, int(port))
    await line.mend()
    yield line
    await line.cut()
