"""Notices a proxy in front that TRUSTED_PROXIES doesn't name: behind it all users would be one client."""

import structlog
from starlette.datastructures import Headers

from gateway.auth.addresses import is_private

# So many requests, all by way of a proxy and of one private address, are hardly a trial.
_MANY = 100
_LOG = structlog.get_logger()


class UnnamedProxy:
    """Counts the requests that came by way of a proxy, and logs one line, once, when all count for one client.

    One program can send the headers of a proxy by itself, or be alone behind one: only two users or more show it.
    """

    def __init__(self) -> None:
        self._client = ""
        self._count = 0
        self._user: tuple[str, str] | None = None
        self._has_more_users = False
        self._over = False

    def note(self, client: str, headers: Headers, *, trusted: bool) -> None:
        """Count a request of that client; `trusted`: its X-Forwarded-For is believed."""
        if self._over or not _is_forwarded(headers, trusted):
            return
        self._client = self._client or client
        if client != self._client or not is_private(client):
            self._over = True  # the proxies are named
            return
        self._count += 1
        self._add_user(headers.get("x-forwarded-for", ""), headers.get("user-agent", ""))
        if self._count >= _MANY and self._has_more_users:
            self._over = True
            _LOG.warning("users behind a proxy count as one client: name the proxy in TRUSTED_PROXIES", client=client)

    def _add_user(self, forwarded: str, program: str) -> None:
        """Note who asks, as far as can be seen: nginx of the compose project replaces X-Forwarded-For."""
        user = forwarded.rpartition(",")[2].strip(), program
        self._user = self._user or user
        self._has_more_users = self._has_more_users or user != self._user


def _is_forwarded(headers: Headers, trusted: bool) -> bool:
    """Return whether a proxy shows that nobody has named; nginx of the compose project passes only its `https` on."""
    return headers.get("x-forwarded-proto") == "https" or ("x-forwarded-for" in headers and not trusted)
