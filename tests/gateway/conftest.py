"""A gateway and a scripted worker on both kinds of Redis."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway.harness import RunningGateway, running
from wire.redis.store import Store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = Store(store_url)
    yield store
    await store.close()


@pytest.fixture
async def gateway(store: Store) -> AsyncIterator[RunningGateway]:
    async with running(store) as gateway:
        yield gateway
