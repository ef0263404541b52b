"""redis-py's client of the Redis of a store, for what tests look at and change there themselves."""

from weakref import WeakKeyDictionary

import redis.asyncio as redis
from fakeredis import FakeAsyncRedis

from wire.redis.store import Store

_CLIENTS: WeakKeyDictionary[Store, redis.Redis] = WeakKeyDictionary()


def redis_client(store: Store) -> redis.Redis:
    """Return the client, which closes with the store."""
    if store not in _CLIENTS:
        _CLIENTS[store] = _make(store)
        close_store = store.close

        async def close() -> None:
            await close_store()
            await _CLIENTS[store].aclose()

        store.close = close  # type: ignore[method-assign]
    return _CLIENTS[store]


def _make(store: Store) -> redis.Redis:
    if store._server is not None:
        return FakeAsyncRedis(server=store._server, protocol=2)
    return redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(store._url, protocol=2))
