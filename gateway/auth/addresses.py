"""Where a request comes from, as far as that can be known. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = Sequence[IPv4Network | IPv6Network]
# What one customer of an IPv6 provider has at least.
_IPV6_SITE = 64


def networks(text: str) -> Networks:
    """Networks and addresses, parted by commas. ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(peer: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """The address to count a client's questions for; of IPv6 the network that it can choose addresses from.

    `forwarded` holds the values of X-Forwarded-For. Each proxy adds, on the right, the address that it was asked from;
    so the hops count from the right, and only as long as those who added them are `trusted`: what a client claims by
    itself is further left.
    """
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    address = peer
    while hops and _is_trusted(address, trusted) and _is_address(hops[-1]):
        address = hops.pop()
    return _counted(address)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, trusted: Networks) -> bool:
    if not _is_address(address):
        return False
    found = _plain(address)
    return any(found in network for network in trusted)


def _plain(address: str) -> IPv4Address | IPv6Address:
    found = ip_address(address)
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _counted(address: str) -> str:
    if not _is_address(address):
        return address
    found = _plain(address)
    return str(ip_network((found, _IPV6_SITE), strict=False)) if isinstance(found, IPv6Address) else str(found)
