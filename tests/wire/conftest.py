"""A Redis with everything that speaks to it, for the tests of wire."""

from collections.abc import AsyncIterator

import pytest

from tests.support.wire.scenario import Scenario
from wire.answers import Answers
from wire.redis.store import Store


@pytest.fixture
async def store(store_url: str, anyio_backend: str) -> AsyncIterator[Store]:
    """Return an empty store, in memory and on a real server."""
    store = Store(store_url)
    yield store
    await store.close()


@pytest.fixture
async def valkey_store(valkey_url: str, anyio_backend: str) -> AsyncIterator[Store]:
    """Return an empty store on the real server."""
    store = Store(valkey_url)
    yield store
    await store.close()


@pytest.fixture
def scenario(store: Store) -> Scenario:
    """Workers and gateways on the store."""
    return Scenario(store)


@pytest.fixture
async def answers(store: Store) -> AsyncIterator[Answers]:
    """Return a running reader of answers."""
    async with Answers(store) as answers:
        yield answers


@pytest.fixture
async def impatient(store: Store) -> AsyncIterator[Answers]:
    """Return a reader whose followers read the log after a shorter silence."""
    async with Answers(store, silence=0.1) as answers:
        yield answers
