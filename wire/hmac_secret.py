"""The secret that all gateways share: what is derived from it can't be guessed."""

import secrets
from pathlib import Path

from wire import keys
from wire.redis.store import Store

_SHORTEST = 32


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
    """A gateway's own secret, or the one that Redis keeps for all, made by the first reader."""

    def __init__(self, store: Store, own: bytes | None = None) -> None:
        self._store = store
        self._own = own

    async def read(self) -> bytes:
        """Return the secret. Redis's is read each time: after a loss of data no gateway may continue with the old one.

        StoreUnavailableError.
        """
        if self._own is not None:
            return self._own
        # Without a write first: it is known also while Redis is full.
        known: bytes | None = await self._store.execute("GET", keys.secret_key())
        if known:
            return known
        return await self._make()

    async def _make(self) -> bytes:
        _, secret = await self._store.transact(
            ("SET", keys.secret_key(), secrets.token_bytes(32), "NX"), ("GET", keys.secret_key())
        )
        return bytes(secret)
