"""Idempotency-Key: a request that is sent again gets the answer of the first one."""

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass

import msgspec
from starlette.requests import Request

from gateway.errors import KeyLengthError
from gateway.legacy import params
from wire.hmac_secret import HmacSecret
from wire.jobs import Client, IdempotencyKey
from wire.messages import Work, encode

_LONGEST = 255
# Many people can share an address: without API keys nobody may hit on another's key by chance.
_SHORTEST_SHARED = 16


@dataclass(frozen=True)
class Idempotency:
    """Turns keys into what the wire asks once."""

    secret: HmacSecret

    def key(self, request: Request, client: Client) -> str | None:
        """The key that was sent, in the header or else in the query. KeyLengthError."""
        sent = request.headers.get("idempotency-key") or params.query(request.scope["query_string"]).get(
            "idempotency_key"
        )
        return self.checked(sent, client)

    def checked(self, key: str | None, client: Client) -> str | None:
        """The key, None if none was sent. KeyLengthError."""
        if not key:
            return None
        shortest = self.shortest(client)
        if not shortest <= len(key) <= _LONGEST:
            raise KeyLengthError(shortest, _LONGEST)
        return key

    def shortest(self, client: Client) -> int:
        """How many characters the client's own names for things must have."""
        return 1 if client.holder else _SHORTEST_SHARED

    async def once(
        self, client: Client, key: str, endpoint: str, work: Work, token: str | None
    ) -> tuple[IdempotencyKey, str]:
        """What the key stands for, and the token: the one that was sent, or always the same one of a new conversation.

        Nobody who lacks the secret can tell either from the key. StoreUnavailableError.
        """
        secret = await self.secret.read()

        def derived(*parts: str | None) -> bytes:
            return hmac.digest(secret, json.dumps(parts).encode(), hashlib.sha256)

        name = derived("name", client.name, key, endpoint, token).hex()
        question = derived(
            "question", encode(msgspec.structs.replace(work, request="", wait=0.0, trace="")).decode()
        ).hex()
        new = uuid.UUID(bytes=derived("token", client.name, key, endpoint)[:16], version=4)
        return IdempotencyKey(name, question), token or str(new)
