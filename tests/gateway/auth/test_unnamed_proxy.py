"""The log line about a proxy that nobody has named."""

import hashlib
from collections.abc import Mapping

import pytest
from starlette.requests import HTTPConnection
from structlog.testing import capture_logs

from gateway.auth.addresses import parse_networks
from gateway.auth.api_keys import ApiKey
from gateway.auth.clients import Clients

NGINX, HOST = "172.18.0.5", "172.18.0.1"
DOCKER = "172.16.0.0/12"
HTTPS = {"x-forwarded-proto": "https"}


def connection(peer: str, headers: Mapping[str, str]) -> HTTPConnection:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "client": (peer, 1), "headers": raw, "query_string": b""})


def ask(clients: Clients, peer: str, headers: Mapping[str, str], times: int = 300) -> list[str]:
    """Return the clients that the log lines name. Two programs take turns, unless the headers name one."""
    with capture_logs() as lines:
        for number in range(times):
            clients.identify(connection(peer, {"user-agent": f"program {number % 2}", **headers}))
    assert all("TRUSTED_PROXIES" in line["event"] and line["log_level"] == "warning" for line in lines)
    return [line["client"] for line in lines]


def forwarded(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


@pytest.mark.parametrize(
    ("trusted", "peer", "headers", "named"),
    [
        # A proxy in front of a gateway.
        ("", "127.0.0.1", forwarded("8.8.8.8"), "127.0.0.1"),
        ("10.0.0.0/8", "192.168.1.2", HTTPS, "192.168.1.2"),
        ("", "fd00::2", forwarded("8.8.8.8"), "fd00::/64"),
        # One in front of nginx of the compose project, which itself is named.
        (DOCKER, NGINX, forwarded(HOST) | HTTPS, HOST),
    ],
)
def test_one_line_is_logged_about_a_proxy_that_is_not_named(
    trusted: str, peer: str, headers: Mapping[str, str], named: str
) -> None:
    clients = Clients(trusted=parse_networks(trusted))
    assert ask(clients, peer, headers, times=99) == []
    assert ask(clients, peer, headers) == [named]


@pytest.mark.parametrize(
    ("trusted", "peer", "headers"),
    [
        ("", "127.0.0.1", {}),
        (DOCKER, NGINX, forwarded(HOST) | {"x-forwarded-proto": "http"}),
        (DOCKER, NGINX, forwarded("8.8.8.8") | HTTPS),
        ("", "8.8.8.8", forwarded("9.9.9.9")),
    ],
)
def test_nothing_is_logged_without_a_proxy_or_about_one_that_is_named(
    trusted: str, peer: str, headers: Mapping[str, str]
) -> None:
    assert ask(Clients(trusted=parse_networks(trusted)), peer, headers) == []


@pytest.mark.parametrize(
    ("trusted", "peer", "headers"),
    [
        ("", "127.0.0.1", HTTPS),
        ("", "127.0.0.1", forwarded("8.8.8.8") | HTTPS),
        (DOCKER, NGINX, forwarded(HOST) | HTTPS),
    ],
)
def test_one_program_with_the_headers_of_a_proxy_shows_none(
    trusted: str, peer: str, headers: Mapping[str, str]
) -> None:
    assert ask(Clients(trusted=parse_networks(trusted)), peer, {"user-agent": "curl", **headers}) == []


def test_two_addresses_behind_a_proxy_show_it_also_with_one_program() -> None:
    clients = Clients()
    assert ask(clients, "127.0.0.1", {"user-agent": "curl"} | forwarded("8.8.8.8, 8.8.4.4"), times=200) == []
    assert ask(clients, "127.0.0.1", {"user-agent": "curl"} | forwarded("8.8.8.8, 9.9.9.9"), times=1) == ["127.0.0.1"]


def test_nothing_is_logged_once_two_clients_were_seen() -> None:
    clients = Clients(trusted=parse_networks(DOCKER))
    ask(clients, NGINX, forwarded(HOST) | HTTPS, times=50)
    ask(clients, NGINX, forwarded("10.0.0.7") | HTTPS, times=1)
    assert ask(clients, NGINX, forwarded(HOST) | HTTPS) == []


def test_nothing_is_logged_where_clients_have_keys() -> None:
    key = "a-key-of-many-characters"
    clients = Clients([ApiKey("bob", hashlib.sha256(key.encode()).hexdigest())])
    assert ask(clients, "127.0.0.1", forwarded("8.8.8.8") | {"x-api-key": key}) == []
