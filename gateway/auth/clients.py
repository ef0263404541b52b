"""Who asks: the holder of an API key; without a list of keys, an address."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.auth.addresses import Networks, client_address
from gateway.auth.api_keys import ApiKey, find_key
from gateway.legacy import params
from wire.jobs import Client

_SUBPROTOCOL = "key."


@dataclass(frozen=True)
class Clients:
    """Tells clients apart. `keys` is None when nobody needs a key; `trusted` are the proxies in front."""

    keys: Sequence[ApiKey] | None = None
    trusted: Networks = ()

    def of(self, connection: HTTPConnection) -> Client:
        """Who is at the other end. HTTPException 401."""
        if self.keys is not None:
            key = find_key(self.keys, sent_key(connection))
            if key is None:
                raise HTTPException(401, headers={"www-authenticate": "Bearer"})
            return Client(f"key:{key.name}", key.name, key.limit)
        peer = connection.client.host if connection.client else "unknown"
        address = client_address(peer, connection.headers.getlist("x-forwarded-for"), self.trusted)
        return Client(f"address:{address}")


def key_subprotocol(connection: HTTPConnection) -> str | None:
    """The WebSocket subprotocol that carries a key, if one was offered."""
    return next((name for name in connection.scope.get("subprotocols", ()) if name.startswith(_SUBPROTOCOL)), None)


def sent_key(connection: HTTPConnection) -> str:
    """The key as it was sent, '' for none: the first of the four ways to send one that was used."""
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if named := connection.headers.get("x-api-key"):
        return named
    if asked := params.query(connection.scope["query_string"]).get("api_key"):
        return asked
    return (key_subprotocol(connection) or "").removeprefix(_SUBPROTOCOL)
