"""Who may use the console, and who has to wait."""

import hashlib
import inspect

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

import gateway.console.admins
from gateway.auth.addresses import parse_networks
from gateway.auth.api_keys import ApiKey
from gateway.console.admins import Admins

KEYS = [ApiKey(name, hashlib.sha256(name.encode()).hexdigest()) for name in ("olivia", "pete")]


def request(authorization: str | None, address: str = "192.0.2.1", forwarded: str = "") -> Request:
    headers = [(b"authorization", authorization.encode())] if authorization is not None else []
    headers += [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"type": "http", "headers": headers, "client": (address, 1), "query_string": b"api_key=olivia&key=olivia"}
    return Request(scope)


def refused(admins: Admins, sent: Request) -> HTTPException:
    with pytest.raises(HTTPException) as refusal:
        admins.authenticate(sent)
    return refusal.value


PROXIES = parse_networks("10.0.0.0/8")


@pytest.fixture
def admins() -> Admins:
    return Admins(KEYS, PROXIES)


def test_a_key_identifies_its_admin(admins: Admins) -> None:
    assert admins.authenticate(request("Bearer olivia")) == "olivia"
    assert admins.authenticate(request("bearer pete")) == "pete"


def test_a_key_is_valid_while_it_is_listed_under_its_name() -> None:
    olivia, pete = KEYS
    keys = [olivia, pete]
    admins = Admins(keys, PROXIES)
    assert admins.identify(request("Bearer olivia")) == olivia
    keys[:] = [ApiKey("olivia", olivia.hash, 7)]
    assert admins.is_valid(olivia)
    assert not admins.is_valid(pete)
    for other in (ApiKey("pete", olivia.hash), ApiKey("olivia", pete.hash)):
        keys[:] = [other]
        assert not admins.is_valid(olivia)


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer ", "Bearer nobody", "Basic olivia", "olivia"])
def test_anything_else_is_refused_and_no_key_is_taken_from_the_query(admins: Admins, sent: str | None) -> None:
    refusal = refused(admins, request(sent))
    assert refusal.status_code == 401
    assert refusal.headers == {"www-authenticate": "Bearer"}


def test_after_ten_wrong_keys_an_address_waits() -> None:
    clock = 1000.0
    admins = Admins(KEYS, PROXIES, clock=lambda: clock)
    for number in range(10):
        assert refused(admins, request(f"Bearer wrong {number}")).status_code == 401
    waiting = refused(admins, request("Bearer wrong"))
    assert waiting.status_code == 429
    assert waiting.headers == {"retry-after": "61"}
    assert refused(admins, request("Bearer wrong", "192.0.2.2")).status_code == 401
    clock += 61
    assert refused(admins, request("Bearer wrong")).status_code == 401


def test_a_right_key_counts_after_any_number_of_wrong_ones(admins: Admins) -> None:
    for _ in range(30):
        refused(admins, request("Bearer wrong"))
        assert admins.authenticate(request("Bearer olivia")) == "olivia"
    assert refused(admins, request("Bearer wrong")).status_code == 429


def test_asking_without_a_key_is_no_try(admins: Admins) -> None:
    for _ in range(50):
        refused(admins, request(None))
    assert refused(admins, request("Bearer wrong")).status_code == 401


def test_behind_a_proxy_the_client_waits_and_not_the_proxy(admins: Admins) -> None:
    for _ in range(10):
        refused(admins, request("Bearer wrong", "10.0.0.1", "203.0.113.9"))
    assert refused(admins, request("Bearer wrong", "10.0.0.1", "203.0.113.9")).status_code == 429
    assert refused(admins, request("Bearer wrong", "10.0.0.1", "203.0.113.10")).status_code == 401


def test_only_so_many_addresses_are_remembered(admins: Admins) -> None:
    for number in range(3000):
        refused(admins, request("Bearer wrong", f"192.0.{number // 250}.{number % 250}"))
    assert len(admins._failed) == 1000


def test_keys_are_compared_in_constant_time() -> None:
    assert "find_key(" in inspect.getsource(gateway.console.admins)
