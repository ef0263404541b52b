"""Who may use the console, and who has tried too often."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from time import monotonic

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.auth.addresses import Networks, client_address
from gateway.auth.api_keys import ApiKey, find_key

# So many wrong keys within so many seconds, and an address has to wait; so many addresses are remembered.
_TRIES = 10
_WITHIN = 60.0
_ADDRESSES = 1000
_LOG = structlog.get_logger()


class Admins:
    """The holders of admin keys."""

    def __init__(self, keys: Sequence[ApiKey], trusted: Networks) -> None:
        self._keys = keys
        self._trusted = trusted
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def of(self, connection: HTTPConnection) -> str:
        """The admin's name, by the key in `Authorization: Bearer`. HTTPException 401.

        429 for an address that has sent too many wrong ones: also a right one isn't looked at then, or it could be
        guessed all the same.
        """
        peer = connection.client.host if connection.client else "unknown"
        address = client_address(peer, connection.headers.getlist("x-forwarded-for"), self._trusted)
        self._check(address)
        scheme, _, sent = connection.headers.get("authorization", "").partition(" ")
        key = find_key(self._keys, sent.strip() if scheme.lower() == "bearer" else "")
        if key is not None:
            return key.name
        if sent:
            _LOG.warning("a wrong admin key", address=address)
            self._note(address)
        raise HTTPException(401, headers={"www-authenticate": "Bearer"})

    def _check(self, address: str) -> None:
        failed, now = self._failed.get(address), monotonic()
        while failed and now - failed[0] >= _WITHIN:
            failed.popleft()
        if failed and len(failed) >= _TRIES:
            raise HTTPException(429, headers={"retry-after": str(int(_WITHIN - (now - failed[0])) + 1)})

    def _note(self, address: str) -> None:
        self._failed.setdefault(address, deque(maxlen=_TRIES)).append(monotonic())
        self._failed.move_to_end(address)
        if len(self._failed) > _ADDRESSES:
            self._failed.popitem(last=False)
