"""The ledger's clock, moved by a test: what was noted lies further back."""

from typing import Any

from msgspec.json import decode, encode

from tests.support.redis_client import redis_client
from wire import keys
from wire.redis.store import Store

_TIMES = ("until", "succeeded", "failed", "used", "trial", "refused_since", "refused_last", "offered", "disputed")
_FURTHER_TIMES = ("first_since", "first_looked", "replaced_at")


async def advance(store: Store, seconds: float) -> None:
    """Let so many seconds pass for the account ledger."""
    redis: Any = redis_client(store)
    back = -int(seconds * 1000)
    for name in [name.decode() for name in await redis.zrange(keys.accounts_key(), 0, -1)]:
        for field in (*_TIMES, *_FURTHER_TIMES):
            if int(await redis.hget(keys.account_key(name), field) or 0):
                await redis.hincrby(keys.account_key(name), field, back)
        await redis.zincrby(keys.accounts_key(), back, name)
        for times in (keys.flight_key(name), keys.spent_key(name)):
            for member in await redis.zrange(times, 0, -1):
                await redis.zincrby(times, back, member)
        for client, entry in (await redis.hgetall(keys.blame_key(name))).items():
            moved = {
                field: value + back if field in ("at", "back") else value for field, value in decode(entry).items()
            }
            await redis.hset(keys.blame_key(name), client, encode(moved))
