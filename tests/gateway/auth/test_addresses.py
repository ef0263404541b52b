"""Whose questions count together, when there are proxies and when somebody claims there are."""

import pytest

from gateway.auth import addresses
from gateway.auth.addresses import client_address, parse_networks, public_origin

PROXIES = parse_networks("10.0.0.0/8, 192.0.2.7,2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        # Nobody may claim to be somebody else.
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
        ("10.1.1.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["1.1.1.1, 203.0.113.9 , 192.0.2.7"], "203.0.113.9"),
        ("10.1.1.1", ["10.9.9.9, 203.0.113.9, 10.2.2.2"], "203.0.113.9"),
        # Behind trusted proxies only: the one furthest away.
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.1.1.1", [], "10.1.1.1"),
        # What is no address was written by nobody who is trusted.
        ("10.1.1.1", ["203.0.113.9, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9, 10.2.2.2:port"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9, [10.2.2.2"], "10.1.1.1"),
        # With ports, brackets and quotes, as some proxies write it.
        ("10.1.1.1", ["203.0.113.9:5678, 10.2.2.2:80"], "203.0.113.9"),
        ("10.1.1.1", ["[2001:db8:5::9]:443"], "2001:db8:5::/64"),
        ("10.1.1.1", ["[2001:db8:5::9]"], "2001:db8:5::/64"),
        ("10.1.1.1", ['"[2001:db8:5::9]:443"'], "2001:db8:5::/64"),
        ("10.1.1.1", ['"[::1]"'], "::/64"),
        ("10.1.1.1", [""], "10.1.1.1"),
        ("10.1.1.1", [","], "10.1.1.1"),
        ("unknown", ["203.0.113.9"], "unknown"),
        # IPv6: by the network that one customer has; an IPv4 address in IPv6's clothes is one.
        ("2001:db8::1", [], "2001:db8::/64"),
        ("2001:db8::ffff:1", [], "2001:db8::/64"),
        ("2001:db8:0:1::1", [], "2001:db8:0:1::/64"),
        ("2001:db8:ffff::1", ["2001:db8:5::9"], "2001:db8:5::/64"),
        ("::ffff:198.51.100.1", [], "198.51.100.1"),
        ("::ffff:10.1.1.1", ["203.0.113.9"], "203.0.113.9"),
    ],
)
def test_the_rightmost_hop_that_is_no_trusted_proxy_is_the_client(
    peer: str, forwarded: list[str], address: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_without_proxies_nobody_is_believed() -> None:
    assert client_address("10.1.1.1", ["203.0.113.9"], parse_networks("")) == "10.1.1.1"


@pytest.mark.parametrize(("peer", "read"), [("203.0.113.1", 0), ("10.1.1.1", 1)])
def test_no_more_is_read_than_proxies_have_said(monkeypatch: pytest.MonkeyPatch, peer: str, read: int) -> None:
    """Anybody can send thousands, with each request."""
    hops: list[str] = []

    def read_hop(hop: str) -> str:
        hops.append(hop)
        return hop

    monkeypatch.setattr(addresses, "_read_hop", read_hop)
    client_address(peer, ["198.51.100.1," * 5000 + "198.51.100.1"], PROXIES)
    assert len(hops) == read


@pytest.mark.parametrize("text", ["nginx", "10.0.0.1/8", "10.0.0.0/33", "1.2.3"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits"):
        parse_networks(text)


@pytest.mark.parametrize(
    ("scheme", "host", "forwarded", "origin"),
    [
        ("http", "chat.example.org", "", "http://chat.example.org"),
        ("https", "chat.example.org:8443", "", "https://chat.example.org:8443"),
        ("ws", "127.0.0.1:5000", "", "http://127.0.0.1:5000"),
        ("wss", "[2001:db8::1]:5000", "", "https://[2001:db8::1]:5000"),
        ("http", "chat.example.org", "https", "https://chat.example.org"),
        ("http", "chat.example.org", "http, HTTPS", "https://chat.example.org"),
        ("http", "chat.example.org", "javascript", "http://chat.example.org"),
        ("http", "", "", ""),
        ("http", "a b", "", ""),
        ("http", "evil/../x", "", ""),
        ("http", 'x"><script>', "", ""),
        ("http", "user@host", "", ""),
    ],
)
def test_a_client_knows_the_service_by_the_host_that_it_asked(
    scheme: str, host: str, forwarded: str, origin: str
) -> None:
    assert public_origin(scheme, host, forwarded) == origin
