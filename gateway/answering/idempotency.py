"""Idempotency-Keys: a request that is sent again gets the answer of the first one."""

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass

from gateway.errors import KeyLengthError
from wire.about import weigh
from wire.hmac_secret import HmacSecret
from wire.jobs import Client, IdempotencyKey
from wire.messages import Work
from wire.prompt_digest import canonical_work
from wire.threads import run_sized

_MAX_LENGTH = 255
# Many people can share an address: without API keys nobody may find another's key by chance.
_MIN_SHARED_LENGTH = 16


@dataclass(frozen=True)
class RequestKey:
    """An Idempotency-Key as it was sent to an `endpoint`, for the conversation `token` if the client named one.

    `owner` is whose it is; '' for the client's. See gateway.auth.name_owner.
    """

    value: str
    endpoint: str
    owner: str
    token: str | None = None


@dataclass(frozen=True)
class Idempotency:
    """Derives from clients' keys what Redis stores of them, and the tokens of the conversations that they create."""

    secret: HmacSecret

    def validate(self, key: RequestKey, client: Client) -> None:
        """Raise KeyLengthError for a key that is too short or too long."""
        shortest = self.min_length(client)
        if not shortest <= len(key.value) <= _MAX_LENGTH:
            raise KeyLengthError(shortest, _MAX_LENGTH)

    def min_length(self, client: Client) -> int:
        """Return how many characters the client's own names for things must have."""
        return 1 if client.holder else _MIN_SHARED_LENGTH

    async def derive(self, key: RequestKey, client: Client, work: Work) -> tuple[IdempotencyKey, str]:
        """Return the key as Redis stores it, and the token of the conversation that it creates: always the same one.

        Nobody who lacks the secret can guess either from the key. Raises StoreUnavailableError.
        """
        secret, owner = await self.secret.read(), key.owner or client.name

        def digest(*parts: str | None) -> bytes:
            return hmac.digest(secret, json.dumps(parts).encode(), hashlib.sha256)

        name = digest("name", owner, key.value, key.endpoint, key.token).hex()
        question = await run_sized(weigh(work), lambda: digest("question", canonical_work(work).decode()).hex())
        token = uuid.UUID(bytes=digest("token", owner, key.value, key.endpoint)[:16], version=4)
        return IdempotencyKey(name, question), str(token)
