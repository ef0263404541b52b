"""The audit log: what happened to accounts and processes, and who ordered what. It is short and contains no secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from wire import keys
from wire.redis.replies import hash_fields
from wire.redis.store import Store


@dataclass(frozen=True)
class AuditEvent:
    """An event. `id` grows with time, and begins with the Unix ms.

    `fields` describes it: its `kind` is `account` (a change of state), `cookie` (replaced), `order`, `export` (a cookie
    export was submitted), `added` or `refused` (its result), `stop`, `gateway` or `worker`.
    """

    id: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class AuditLog:
    """Writer and reader of the log. Most events are written by the scripts that make the change."""

    store: Store

    async def record(self, kind: str, **fields: str) -> None:
        """Append an event, twice if the first reply was lost. StoreUnavailableError."""
        pairs = chain.from_iterable({"kind": kind, **fields}.items())
        await self.store.run("event", keys.events_key(), keys.prefix(keys.LEDGER), *pairs)

    async def read_latest(self, count: int, after: str = "") -> list[AuditEvent]:
        """Return the last `count` events after the event `after`, the newest first. StoreUnavailableError."""
        earliest = f"({after}" if after else "-"
        rows: Any = await self.store.execute("XREVRANGE", keys.events_key(), "+", earliest, "COUNT", count)
        return [
            AuditEvent(id_.decode(), {key.decode(): value.decode() for key, value in hash_fields(row).items()})
            for id_, row in rows
        ]
