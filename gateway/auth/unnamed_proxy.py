"""Notices a proxy in front that TRUSTED_PROXIES doesn't name: behind it all users would be one client."""

import structlog
from starlette.datastructures import Headers

from gateway.auth.addresses import is_private

# So many requests in a row, all by way of a proxy and of one private address, are hardly those of one user.
_MANY = 100
_LOG = structlog.get_logger()


class UnnamedProxy:
    """Counts the requests that came by way of a proxy, and logs one line, once, when all count for one client."""

    def __init__(self) -> None:
        self._client = ""
        self._count = 0

    def note(self, client: str, headers: Headers, *, trusted: bool) -> None:
        """Count a request of that client; `trusted`: its X-Forwarded-For is believed."""
        if self._count >= _MANY or not _is_forwarded(headers, trusted):
            return
        self._client = self._client or client
        if client != self._client or not is_private(client):
            self._count = _MANY  # the proxies are named
            return
        self._count += 1
        if self._count == _MANY:
            _LOG.warning("users behind a proxy count as one client: name the proxy in TRUSTED_PROXIES", client=client)


def _is_forwarded(headers: Headers, trusted: bool) -> bool:
    """Return whether a proxy shows that nobody has named; nginx of the compose project passes only its `https` on."""
    return headers.get("x-forwarded-proto") == "https" or ("x-forwarded-for" in headers and not trusted)
