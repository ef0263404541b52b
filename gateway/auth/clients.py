"""The client of a request: the holder of an API key or, without a list of keys, an address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.auth.addresses import Networks, client_address, is_trusted, name_client, public_origin
from gateway.auth.api_keys import ApiKey, find_key
from gateway.auth.unnamed_proxy import UnnamedProxy
from wire.jobs import Client

_SUBPROTOCOL = "key."
# Not by reading all of a query: anybody may send one that takes long, and each request is asked for its key.
_KEY_PARAMETER = re.compile(rb"(?:^|&)api_key=([^&]+)")
_ATTEMPT = re.compile(r"[\w.:-]{16,128}", re.ASCII)


@dataclass(frozen=True)
class Clients:
    """Identifies clients. `keys` is None when no key is needed; `trusted` are the proxies in front."""

    keys: Iterable[ApiKey] | None = None
    trusted: Networks = ()
    _unnamed: UnnamedProxy = field(default_factory=UnnamedProxy, init=False, repr=False, compare=False)

    def identify(self, connection: HTTPConnection) -> Client:
        """Return the client of a request or socket. Raises HTTPException 401."""
        if self.keys is not None:
            return holder_of(find_key(self.keys, read_api_key(connection)))
        address, peer = self.find_address(connection), _peer(connection)
        self._unnamed.note(address, connection.headers, trusted=is_trusted(peer, self.trusted))
        return Client(name_client(address))

    def find_address(self, connection: HTTPConnection) -> str:
        """Return the address that a client counts for where it has no key."""
        return client_address(_peer(connection), connection.headers.getlist("x-forwarded-for"), self.trusted)

    def find_origin(self, connection: HTTPConnection) -> str:
        """Return the origin under which the client knows this service, such as `https://chat.example.org`.

        It is made from the Host header; '' without a usable one.
        """
        headers = connection.headers
        forwarded = headers.get("x-forwarded-proto", "") if is_trusted(_peer(connection), self.trusted) else ""
        return public_origin(connection.scope["scheme"], headers.get("host", ""), forwarded)

    def read_attempt(self, connection: HTTPConnection) -> str:
        """Return the X-Attempt-ID of a trusted proxy, '' for none: it may send the same request to another gateway."""
        sent = connection.headers.get("x-attempt-id", "")
        return sent if _ATTEMPT.fullmatch(sent) and is_trusted(_peer(connection), self.trusted) else ""


def holder_of(key: ApiKey | None) -> Client:
    """Return the client that has a key. Raises HTTPException 401 for None, where there is no such line."""
    if key is None:
        raise HTTPException(401, headers={"www-authenticate": "Bearer"})
    return Client(f"key:{key.name}", key.name, key.limit, key.models, key.weight, key.daily)


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def key_subprotocol(connection: HTTPConnection) -> str | None:
    """Return the WebSocket subprotocol that carries a key, if one was offered."""
    return next((name for name in connection.scope.get("subprotocols", ()) if name.startswith(_SUBPROTOCOL)), None)


def read_api_key(connection: HTTPConnection) -> str:
    """Return the key that was sent, '' for none: the first one of bearer token, header, query and subprotocol."""
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if header := connection.headers.get("x-api-key"):
        return header
    if parameters := _KEY_PARAMETER.findall(connection.scope["query_string"]):
        return unquote_plus(parameters[-1].decode("latin-1"))
    return (key_subprotocol(connection) or "").removeprefix(_SUBPROTOCOL)
