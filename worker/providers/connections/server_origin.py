"""Where a server is, and where its requests go, by a URL."""

import base64
from dataclasses import dataclass
from functools import lru_cache

import httpx

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ServerOrigin:
    """The host that a connection leads to, and the `host_header` of what is sent to it. `login` is a URL's own user."""

    is_tls: bool
    host: str
    port: int
    host_header: bytes
    login: bytes = b""


# Accounts have but a few addresses, and each question needs one.
@lru_cache(1024)
def locate(url: httpx.URL) -> tuple[ServerOrigin, bytes]:
    """Return where a URL leads, and the target of its request. httpx.UnsupportedProtocol."""
    if url.scheme not in _PORTS or not url.host:
        raise httpx.UnsupportedProtocol("an address that is neither http:// nor https://")
    login = base64.b64encode(f"{url.username}:{url.password}".encode()) if url.userinfo else b""
    host = url.raw_host.decode("ascii")
    port = url.port or _PORTS[url.scheme]
    return ServerOrigin(url.scheme == "https", host, port, url.netloc, login), url.raw_path
