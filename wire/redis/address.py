"""The address of Redis: one server, sentinels that know the primary, or nodes of a cluster.

    redis://[[user]:password@]host[:port][/db][?option=value…]     rediss:// with TLS, unix:// for a socket
    redis+sentinel://[[user]:password@]host[:26379],host…/name[/db][?option=value…]
    redis+cluster://[[user]:password@]host[:6379],host…[?option=value…]

`rediss+sentinel://` and `rediss+cluster://` are these with TLS, which then is the sentinels' too. User and password are
Redis's own; the sentinels' are the options `sentinel_username` and `sentinel_password`. All other options are
redis-py's, such as `ssl_ca_certs`; those about TLS are for the sentinels as well.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from redis.asyncio.connection import parse_url

_SINGLE = ("redis", "rediss", "unix")
_SCHEMES = ("memory", *_SINGLE, *(f"redis{tls}+{kind}" for kind in ("sentinel", "cluster") for tls in ("", "s")))
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
_REDIS_PORT = 6379
_SENTINEL_PORT = 26379


class Endpoint(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class RedisAddress:
    """An address, read.

    `kind`: `memory` is a Redis inside the process, `single` one server. `endpoints` are the sentinels, or some nodes of
    the cluster; `service` is the name that the sentinels have for the primary.
    """

    url: str
    kind: Literal["memory", "single", "sentinel", "cluster"]
    endpoints: tuple[Endpoint, ...] = ()
    service: str = ""

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Read an address. ValueError, with one sentence, for one that can't be right."""
        try:
            parts = urlsplit(url)
            if parts.scheme not in _SCHEMES:
                raise ValueError(f"REDIS_URL must begin with one of {', '.join(s + '://' for s in _SCHEMES)}")
            if parts.scheme == "memory":
                return cls(url, "memory")
            address = cls(url, "single") if parts.scheme in _SINGLE else cls._parse_several(url, parts)
            # Finds what is wrong with the rest.
            parse_url(address.server_url(Endpoint("localhost", _REDIS_PORT)))
        except ValueError as error:
            if str(error).startswith("REDIS_URL"):
                raise
            raise ValueError(f"REDIS_URL is not an address of Redis: {error}") from error
        return address

    @classmethod
    def _parse_several(cls, url: str, parts: SplitResult) -> "RedisAddress":
        by_sentinels = parts.scheme.endswith("sentinel")
        hosts = parts.netloc.rpartition("@")[2]
        endpoints = tuple(_endpoint(host, _SENTINEL_PORT if by_sentinels else _REDIS_PORT) for host in hosts.split(","))
        options = [name for name, _ in parse_qsl(parts.query) if name.startswith("sentinel_")]
        if unknown := [name for name in options if not by_sentinels or name not in _SENTINEL_OPTIONS]:
            raise ValueError(f"REDIS_URL has an option that is not known: {unknown[0]}")
        if not by_sentinels:
            if parts.path.strip("/") not in ("", "0"):
                raise ValueError("REDIS_URL names a database, but a cluster has only database 0")
            return cls(url, "cluster", endpoints)
        service, _, database = parts.path.strip("/").partition("/")
        if not service:
            raise ValueError("REDIS_URL lacks the primary's name: redis+sentinel://host,host,host/name")
        if database and not database.isdecimal():
            raise ValueError("REDIS_URL has a database that is no number: redis+sentinel://host,host,host/name/0")
        return cls(url, "sentinel", endpoints, service)

    def server_url(self, server: Endpoint) -> str:
        """Return the address of one of the servers, with user, password, database and options as they were given."""
        if self.kind == "single":
            return self.url
        parts = urlsplit(self.url)
        credentials = parts.netloc.rpartition("@")[0]
        database = parts.path.strip("/").partition("/")[2] if self.kind == "sentinel" else ""
        query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in _SENTINEL_OPTIONS])
        at = f"{credentials}@" if credentials else ""
        return f"{parts.scheme.partition('+')[0]}://{at}{server}/{database or 0}?{query}"

    def sentinel_url(self, sentinel: Endpoint) -> str:
        """Return the address of one of the sentinels, with the user and password that are theirs."""
        parts = urlsplit(self.url)
        options = parse_qsl(parts.query)
        own = dict(options)
        user, password = (quote(own.get(name, ""), safe="") for name in _SENTINEL_OPTIONS)
        at = f"{user}:{password}@" if password else ""
        query = urlencode([(name, value) for name, value in options if name.startswith("ssl_")])
        return f"{parts.scheme.partition('+')[0]}://{at}{sentinel}?{query}"


def _endpoint(text: str, default_port: int) -> Endpoint:
    """Read `host` or `host:port`. ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("REDIS_URL has a host without a name")
    return Endpoint(parts.hostname, parts.port or default_port)
