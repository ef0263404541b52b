"""The address of a request's client, as far as it can be known, and its own address for this service. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = Sequence[IPv4Network | IPv6Network]
# A name, an IPv4 address or an IPv6 one in brackets, perhaps with a port.
_HOST = re.compile(r"(?:[\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII)
# How some proxies write an address in X-Forwarded-For: with its port, an IPv6 one in brackets.
_HOP = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([\d.]+))(?::\d{1,5})?", re.ASCII)
# The smallest network that a customer of an IPv6 provider gets.
_IPV6_SITE = 64


def parse_networks(text: str) -> Networks:
    """Return the networks and addresses of a comma-separated list. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(peer: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """Return the address that a client's questions count for; of IPv6 the network that it can choose addresses from.

    `forwarded` holds the values of X-Forwarded-For. Each proxy appends the address that it was asked from, so the hops
    count from the right, and only while those who appended them are `trusted`: what a client claims is further left.
    """
    hops = [hop for value in forwarded for hop in value.split(",")]
    address = peer
    while hops and is_trusted(address, trusted) and _parse(hop := _read_hop(hops.pop())):
        address = hop
    return _group(address)


def name_client(address: str) -> str:
    """Return the name of the client that has this address, and no key."""
    return f"address:{address}"


def public_origin(scheme: str, host: str, forwarded: str) -> str:
    """Return the origin under which a client knows this service; '' if its `host` can't be used.

    `scheme` is the connection's, of a socket too. `forwarded` is X-Forwarded-Proto of a trusted proxy, '' for none.
    """
    if not _HOST.fullmatch(host):
        return ""
    nearest = forwarded.rpartition(",")[2].strip().lower() or scheme
    return f"{'https' if nearest in ('https', 'wss') else 'http'}://{host}"


def _read_hop(text: str) -> str:
    plain = text.strip().strip('"')
    match = _HOP.fullmatch(plain)
    return (match[1] or match[2]) if match else plain


def is_trusted(address: str, trusted: Networks) -> bool:
    """Return whether the address is one of these networks'."""
    plain = _parse(address)
    return plain is not None and any(plain in network for network in trusted)


def is_private(client: str) -> bool:
    """Return whether a client's address, or its IPv6 network, is of a network that the internet doesn't reach."""
    try:
        return ip_network(client).is_private
    except ValueError:
        return False


# Each request asks for the address of its proxy or its client, and most of them are few.
@lru_cache(maxsize=1024)
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Return the address, None if it is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


@lru_cache(maxsize=1024)
def _group(address: str) -> str:
    plain = _parse(address)
    if isinstance(plain, IPv6Address):
        return str(ip_network((plain, _IPV6_SITE), strict=False))
    return address if plain is None else str(plain)
