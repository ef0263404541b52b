"""The secret that all gateways share: who doesn't know it can't guess what is derived from it."""

import secrets
from pathlib import Path
from typing import Any

from wire import keys
from wire.redis.errors import translate_errors
from wire.redis.store import Store

_SHORTEST = 32


def load_secret(path: Path) -> bytes:
    """The secret in a file, without white space around it. ValueError, in a sentence."""
    try:
        found = path.read_bytes().strip()
    except OSError:
        raise ValueError(f"SECRET_FILE: {path} can't be read") from None
    if len(found) < _SHORTEST:
        raise ValueError(f"SECRET_FILE: {path} holds fewer than {_SHORTEST} bytes")
    return found


class HmacSecret:
    """One's own secret, or the one that Redis keeps for all, made by whoever asks first."""

    def __init__(self, store: Store, own: bytes | None = None) -> None:
        self._store = store
        self._own = own

    async def read(self) -> bytes:
        """The secret. Redis's is read each time: after a loss of data nobody may go on with an old one.

        StoreUnavailableError.
        """
        if self._own is not None:
            return self._own
        with translate_errors():
            async with self._store.commands.pipeline(transaction=True) as pipe:
                pipe.set(keys.secret_key(), secrets.token_bytes(32), nx=True)
                pipe.get(keys.secret_key())
                found: Any = await pipe.execute()
        return bytes(found[1])
