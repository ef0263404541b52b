"""The client of an open socket: the line of its key may change, or go, after the handshake."""

from starlette.requests import HTTPConnection

from gateway.auth.api_keys import find_again, hash_key
from gateway.auth.clients import Clients, holder_of, read_api_key
from wire.jobs import Client


class SocketClient:
    """The client that a handshake identifies, and what its key's line makes of it later.

    Raises HTTPException 401 for a handshake without a key where one is needed.
    """

    __slots__ = ("_hash", "_keys", "client")

    def __init__(self, clients: Clients, socket: HTTPConnection) -> None:
        self.client = clients.identify(socket)
        self._keys = clients.keys
        self._hash = hash_key(read_api_key(socket))

    def refresh(self) -> Client:
        """Return the client with the limits that its key has now. Raises HTTPException 401 once its line is gone."""
        if self._keys is not None:
            self.client = holder_of(find_again(self._keys, self.client.holder, self._hash))
        return self.client
