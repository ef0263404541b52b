"""Whether Redis takes writes."""

from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.store import Store


async def writes(store: Store, key: str = keys.run_key()) -> bool:
    """Return whether a key can be written now."""
    try:
        return bool(await store.execute("SET", key, "x") == b"OK")
    except StoreUnavailableError:
        return False
