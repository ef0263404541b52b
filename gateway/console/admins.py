"""Authenticates operators by their admin keys, and limits the tries of an address."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from time import monotonic

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.auth.addresses import Networks, client_address
from gateway.auth.api_keys import ApiKey, find_again, find_key

# An address that sent 10 wrong keys within 60 s has to wait; the last 1000 addresses are remembered.
_MAX_FAILURES = 10
_WINDOW = 60.0
_MAX_ADDRESSES = 1000
_LOG = structlog.get_logger()


class Admins:
    """The holders of admin keys. `clock` returns seconds that only grow."""

    def __init__(self, keys: Iterable[ApiKey], trusted: Networks, *, clock: Callable[[], float] = monotonic) -> None:
        self._keys = keys
        self._trusted = trusted
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def authenticate(self, connection: HTTPConnection) -> str:
        """Return the admin's name, as `identify` does. HTTPException 401, 429."""
        return self.identify(connection).name

    def is_valid(self, key: ApiKey) -> bool:
        """Return whether the file still lists a key that identified its admin before."""
        return find_again(self._keys, key.name, key.hash) is not None

    def identify(self, connection: HTTPConnection) -> ApiKey:
        """Return the entry of the admin whose key is in `Authorization: Bearer`. HTTPException 401.

        429 instead for an address that has sent too many wrong keys. A right one counts there too: keys are too long
        to be guessed, and others may send from the admin's address.
        """
        scheme, _, sent = connection.headers.get("authorization", "").partition(" ")
        key = find_key(self._keys, sent.strip() if scheme.lower() == "bearer" else "")
        if key is not None:
            return key
        peer = connection.client.host if connection.client else "unknown"
        address = client_address(peer, connection.headers.getlist("x-forwarded-for"), self._trusted)
        self._check_failures(address)
        if sent:
            _LOG.warning("wrong admin key", address=address)
            self._record_failure(address)
        raise HTTPException(401, headers={"www-authenticate": "Bearer"})

    def _check_failures(self, address: str) -> None:
        failed, now = self._failed.get(address), self._clock()
        while failed and now - failed[0] >= _WINDOW:
            failed.popleft()
        if failed and len(failed) >= _MAX_FAILURES:
            raise HTTPException(429, headers={"retry-after": str(int(_WINDOW - (now - failed[0])) + 1)})

    def _record_failure(self, address: str) -> None:
        self._failed.setdefault(address, deque(maxlen=_MAX_FAILURES)).append(self._clock())
        self._failed.move_to_end(address)
        if len(self._failed) > _MAX_ADDRESSES:
            self._failed.popitem(last=False)
