"""The log of events: what happened to accounts and processes, and who ordered what. It is short and holds no secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from wire import keys
from wire.redis.errors import translate_errors
from wire.redis.store import Store


@dataclass(frozen=True)
class AuditEvent:
    """Something that happened. `id` grows with time, and begins with the Unix ms.

    `fields` says what: its `kind` is `account` (a change of state), `cookie` (replaced), `order`, `export` (handed in),
    `added`, `refused` (what became of that), `stop`, `gateway` or `worker`.
    """

    id: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class AuditLog:
    """What writes the log and reads it. Most of it is written by the scripts that bring the change about."""

    store: Store

    async def record(self, kind: str, **fields: str) -> None:
        """Add an event. It stands there twice if the reply was lost on the way. StoreUnavailableError."""
        told = chain.from_iterable({"kind": kind, **fields}.items())
        await self.store.run("event", keys.events_key(), keys.prefix(keys.LEDGER), *told)

    async def read_latest(self, count: int, after: str = "") -> list[AuditEvent]:
        """The last `count` events, but only those after the event `after`; the newest first. StoreUnavailableError."""
        with translate_errors():
            rows: Any = await self.store.commands.xrevrange(
                keys.events_key(), max="+", min=f"({after}" if after else "-", count=count
            )
        return [
            AuditEvent(id_.decode(), {key.decode(): value.decode() for key, value in row.items()}) for id_, row in rows
        ]
