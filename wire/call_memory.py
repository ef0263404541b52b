"""What servers gave with calls of tools, for clients that don't send it back with the results.

Each record is a string beside the scripts, under its client and the call's key, for as long as a session. A script
counts them: those of one client have a limit, above which its oldest ones make room, and so have all together.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wire import keys
from wire.redis.store import Store
from wire.scripts import encode_arguments
from wire.store_memory import StoreMemory

# Bytes of one record, and what it takes beside them.
MAX_RECORD = 64 * 1024
_RECORD_BYTES = 256
# Bytes and number of one client's records, and the part of the bytes that count which all may take: 1 / _ALL_PART.
CLIENT_LIMIT = 2 * 1024 * 1024
_MOST_RECORDS = 1024
_ALL_PART = 16
# How many calls of a conversation are looked up, the newest ones.
MOST_CALLS = 256


class CallRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The extra fields of a call and of its message, for a server of that kind and model."""

    kind: str
    model: str
    call: dict[str, Any] = {}
    message: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(CallRecord)


@dataclass(frozen=True)
class CallMemory:
    """The records of all clients. All may raise StoreUnavailableError."""

    store: Store
    memory: StoreMemory
    client_limit: int = CLIENT_LIMIT
    _encoder: msgspec.json.Encoder = field(default_factory=msgspec.json.Encoder, init=False, compare=False)

    async def write(self, client: str, records: Mapping[str, CallRecord], ttl: int) -> None:
        """Keep records by their calls' keys for `ttl` seconds, but too large ones. A repeat writes the same."""
        encoded = {_name(client, id_): self._encoder.encode(record) for id_, record in records.items()}
        encoded = {name: content for name, content in encoded.items() if len(content) <= MAX_RECORD}
        use = await self.memory.read()
        if not encoded or use.is_full:
            return
        await asyncio.gather(
            *(self.store.transfer("SET", keys.call_key(name), content, "EX", ttl) for name, content in encoded.items())
        )
        digest = _digest(client)
        arguments = encode_arguments(
            client=digest,
            calls=[f"{name} {len(content) + _RECORD_BYTES}" for name, content in encoded.items()],
            ttl=ttl,
            limit=self.client_limit,
            all=use.allowed // _ALL_PART,
            most=_MOST_RECORDS,
        )
        await self.store.run("remember", keys.calls_key(digest), keys.prefix(), arguments)

    async def read(self, client: str, ids: Sequence[str]) -> dict[str, CallRecord]:
        """Return the records that are kept of a client's calls, of the newest ones."""
        wanted = list(dict.fromkeys(ids))[-MOST_CALLS:]
        if not wanted:
            return {}
        contents = await self.store.transfer("MGET", *(keys.call_key(_name(client, id_)) for id_ in wanted))
        records = {id_: _decode(content) for id_, content in zip(wanted, contents, strict=True)}
        return {id_: record for id_, record in records.items() if record is not None}


def _decode(content: bytes | None) -> CallRecord | None:
    """Return a record; None if there is none, or this version can't read it."""
    try:
        return _decoder.decode(content) if content else None
    except msgspec.DecodeError:
        return None


def _digest(client: str) -> str:
    return hashlib.sha256(client.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _name(client: str, id_: str) -> str:
    return _digest(f"{len(client)} {client} {id_}")
