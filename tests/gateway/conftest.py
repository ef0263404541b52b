"""A gateway and a scripted worker on both kinds of Redis."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = Store(store_url)
    yield store
    await store.close()


@pytest.fixture
def cors_origins() -> str | None:
    """The setting of the gateway; tests of what every page may read parametrize it."""
    return None


@pytest.fixture
async def gateway(store: Store, cors_origins: str | None) -> AsyncIterator[RunningGateway]:
    async with running(store, settings(cors_origins=cors_origins)) as gateway:
        yield gateway
