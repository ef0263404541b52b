"""The secret that all gateways share: what is derived from it can't be guessed."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from wire import keys
from wire.redis.store import Store

_SHORTEST = 32
# Seconds for which what was read serves where a loss of data meanwhile does no harm.
_MAX_AGE = 2.0


def load_secret(path: Path) -> bytes:
    """Return the secret in a file, without white space around it. ValueError, in a sentence."""
    try:
        secret = path.read_bytes().strip()
    except OSError:
        raise ValueError(f"SECRET_FILE: {path} can't be read") from None
    if len(secret) < _SHORTEST:
        raise ValueError(f"SECRET_FILE: {path} holds fewer than {_SHORTEST} bytes")
    return secret


class HmacSecret:
    """A process's own secret, or the one that Redis keeps for all, made by the first reader. `clock`: in seconds."""

    def __init__(self, store: Store, own: bytes | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._own = own
        self._clock = clock
        self._recent = b""
        # The connection on which it was read, 0 if that was made for it, and when.
        self._link = 0
        self._read_at = float("-inf")

    async def read(self) -> bytes:
        """Return the secret. Redis's is read each time: after a loss of data no process may continue with the old one.

        StoreUnavailableError.
        """
        if self._own is not None:
            return self._own
        link, began = self._store.link(keys.SHARD), self._clock()
        # Without a write first: it is known also while Redis is full.
        known = await self._store.execute("GET", keys.secret_key()) or await self._make()
        self._recent, self._link, self._read_at = bytes(known), link, began
        return self._recent

    async def read_recent(self) -> bytes:
        """Return what was read at most 2 s ago, on the connection that is still there; else as `read`.

        For what a loss of data makes worthless anyhow. A restart of Redis ends the connection. StoreUnavailableError.
        """
        same_link = self._link != 0 and self._link == self._store.link(keys.SHARD)
        return self._recent if same_link and self._clock() - self._read_at <= _MAX_AGE else await self.read()

    async def _make(self) -> bytes:
        _, secret = await self._store.transact(
            ("SET", keys.secret_key(), secrets.token_bytes(32), "NX"), ("GET", keys.secret_key())
        )
        return bytes(secret)
