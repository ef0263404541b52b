"""Processes of the version before are seen by what they report, and only while they live."""

import pytest

from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.rolling_update import OutdatedProcesses

pytestmark = pytest.mark.anyio


def reporter(store: Store, name: str, load: ProcessLoad) -> Reporter:
    return Reporter(store, "gateway", name, lambda: load, dict, lambda: False)


async def test_a_process_counts_until_it_leaves(store: Store) -> None:
    assert not await OutdatedProcesses(store).are_there()
    await reporter(store, "new", ProcessLoad(apart=True)).report()
    assert not await OutdatedProcesses(store).are_there()
    old = reporter(store, "old", ProcessLoad("0.1.0"))
    await old.report()
    assert await OutdatedProcesses(store).are_there()
    await old.leave()
    assert not await OutdatedProcesses(store).are_there()


async def test_it_looks_once_a_second(store: Store) -> None:
    outdated = OutdatedProcesses(store)
    assert not await outdated.are_there()
    await reporter(store, "old", ProcessLoad("0.1.0")).report()
    assert not await outdated.are_there()
