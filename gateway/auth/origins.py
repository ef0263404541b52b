"""Which names and which other sites' pages a gateway without API keys serves: a browser asks for any page. Pure.

A page can set none of the headers by which they are known: Origin (https://fetch.spec.whatwg.org/#origin-header),
Sec-Fetch-Site and Sec-Fetch-Mode (https://www.w3.org/TR/fetch-metadata/), and Host.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers

from wire.reasons import Reason

ALL = "*"
# Pages within an app have schemes of their own, such as `app://` and `chrome-extension://`; those of a file are `null`,
# in some apps `file://`.
_ORIGIN = re.compile(r"\*|null|file://|[a-z][a-z0-9+.-]*://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII)
_NAME = re.compile(r"\*|[\w.-]+", re.ASCII)
# Nobody can register a name below these (RFC 6761, 6762 and 8375, ICANN's resolution 2024.07.29.06), so no page of
# another site has one: `host.docker.internal`, say, or a service's `….svc.cluster.local`.
_PRIVATE = (".localhost", ".local", ".internal", ".home.arpa")
# What a link on another page may lead to, and a picture be shown of: all that asks nothing.
_PAGES = frozenset({"/", "/docs", "/console", "/openapi.json", "/asyncapi.json"})
_SITE, _PICTURES = "/docs/", "/pictures/"
# Load balancers ask by names of their own, and who asks learns nothing of others.
_HEALTH = frozenset({"/healthz", "/readyz"})


def parse_origins(text: str) -> frozenset[str]:
    """Return the origins of a comma-separated list. Raises ValueError."""
    return _parse(text, _ORIGIN, "an origin such as https://chat.example.org, null or *")


def parse_hosts(text: str) -> frozenset[str]:
    """Return the names of a comma-separated list. Raises ValueError."""
    return _parse(text, _NAME, "a name such as chat.example.org, without a port, or *")


@dataclass(frozen=True)
class ServedOrigins:
    """Decides what is served. Without `keys`, API keys that every client has to have, pages are refused by default.

    `origins` are those whose pages may ask and read, `hosts` the names under which this service is known; None is the
    setting that is missing.
    """

    origins: frozenset[str] | None = None
    hosts: frozenset[str] | None = None
    keys: bool = False

    def allows_all(self) -> bool:
        """Return whether pages of every origin may read responses."""
        return self.keys if self.origins is None else ALL in self.origins

    def lists_some(self) -> bool:
        """Return whether it depends on a page's origin what its browser lets it read."""
        return bool(self.origins) and not self.allows_all()

    def allows(self, origin: str) -> bool:
        """Return whether pages of this origin may read responses."""
        return self.allows_all() or origin.lower() in (self.origins or ())

    def find_refusal(self, method: str, path: str, headers: Headers, own: str) -> Reason | None:
        """Return why a request or handshake is refused, None if it isn't; `own` is the origin of this service in it."""
        if path not in _HEALTH and not self._serves_host(headers.get("host", "")):
            return Reason.REQUEST_HOST
        if self.keys or self.allows_all() or self._serves_page(method, path, headers, own):
            return None
        return Reason.REQUEST_ORIGIN

    def _serves_host(self, host: str) -> bool:
        if self.hosts is None and self.keys:
            return True
        name, listed = _name_of(host), self.hosts or ()
        return "." not in name or _is_address(name) or name.endswith(_PRIVATE) or name in listed or ALL in listed

    def _serves_page(self, method: str, path: str, headers: Headers, own: str) -> bool:
        if headers.get("sec-purpose", "").lower().startswith("prefetch"):
            # What a browser only expects to be wanted, which any page can make it expect, and without a word of itself:
            # https://wicg.github.io/nav-speculation/prefetch.html#sec-purpose-header
            return method in ("GET", "HEAD") and _asks_nothing(path, headers)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "")
        if site == "same-origin" or (origin is not None and self.allows(origin)):
            return True
        if site in ("cross-site", "same-site"):
            return origin is None and method in ("GET", "HEAD") and _asks_nothing(path, headers)
        return origin is None or _is_own(origin.lower(), own.lower())


def _parse(text: str, pattern: re.Pattern[str], what: str) -> frozenset[str]:
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    if wrong := next((part for part in parts if not pattern.fullmatch(part)), None):
        raise ValueError(f"{wrong!r} is not {what}")
    return frozenset(parts)


def _name_of(host: str) -> str:
    """Return a Host header without its port, and an IPv6 address without its brackets."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _asks_nothing(path: str, headers: Headers) -> bool:
    if path.startswith(_PICTURES):
        return True
    is_visit = headers.get("sec-fetch-mode") == "navigate"
    return is_visit and (path in _PAGES or path.startswith(_SITE))


def _is_own(origin: str, own: str) -> bool:
    """Return whether a page is this service's own; a proxy that nobody has named may have ended its TLS."""
    return bool(own) and origin in (own, f"https://{own.partition('://')[2]}")
