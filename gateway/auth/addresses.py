"""The address of a request's client, as far as it can be known. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = Sequence[IPv4Network | IPv6Network]
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
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    address = peer
    while hops and is_trusted(address, trusted) and _is_address(hops[-1]):
        address = hops.pop()
    return _group(address)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_trusted(address: str, trusted: Networks) -> bool:
    """Return whether the address is one of these networks'."""
    if not _is_address(address):
        return False
    plain = _plain(address)
    return any(plain in network for network in trusted)


def _plain(address: str) -> IPv4Address | IPv6Address:
    parsed = ip_address(address)
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def _group(address: str) -> str:
    if not _is_address(address):
        return address
    plain = _plain(address)
    return str(ip_network((plain, _IPV6_SITE), strict=False)) if isinstance(plain, IPv6Address) else str(plain)
