"""Addresses of one server, of sentinels and of a cluster."""

from typing import Any

import pytest
from redis.asyncio.connection import parse_url

from wire.redis.address import Endpoint, RedisAddress


@pytest.mark.parametrize("url", ["redis://:p@h/1?ssl_cert_reqs=none", "rediss://h:1/0", "unix:///run/redis.sock?db=2"])
def test_the_address_of_one_server_stays_as_it_is(url: str) -> None:
    address = RedisAddress.parse(url)
    assert (address.kind, address.server_url(Endpoint("elsewhere", 1))) == ("single", url)


def test_sentinels_have_a_port_and_each_server_the_database() -> None:
    address = RedisAddress.parse("redis+sentinel://one,two:5000,[::1]:5001/bing/3")
    assert address.kind == "sentinel"
    assert address.endpoints == (Endpoint("one", 26379), Endpoint("two", 5000), Endpoint("::1", 5001))
    assert address.service == "bing"
    options = parse_url(address.server_url(Endpoint("::1", 7000)))
    assert options == {"host": "::1", "port": 7000, "db": 3}


def test_redis_and_its_sentinels_each_have_their_own_user() -> None:
    url = "rediss+sentinel://me:p%40ss@one/bing?sentinel_username=s&sentinel_password=%2Fx&ssl_cert_reqs=none"
    address = RedisAddress.parse(url)
    server: dict[str, Any] = dict(parse_url(address.server_url(Endpoint("h", 1))))
    sentinel: dict[str, Any] = dict(parse_url(address.sentinel_url(Endpoint("s", 2))))
    assert (server.pop("username"), server.pop("password"), server.pop("db")) == ("me", "p@ss", 0)
    assert (sentinel.pop("username"), sentinel.pop("password")) == ("s", "/x")
    for options, host, port in ((server, "h", 1), (sentinel, "s", 2)):
        assert (options["host"], options["port"], options["ssl_cert_reqs"]) == (host, port, "none")
        assert set(options) == {"host", "port", "ssl_cert_reqs", "connection_class"}


def test_sentinels_without_a_password_are_not_given_that_of_redis() -> None:
    address = RedisAddress.parse("redis+sentinel://me:secret@one/bing")
    assert parse_url(address.sentinel_url(Endpoint("one", 26379))) == {"host": "one", "port": 26379}


def test_nodes_of_a_cluster_have_the_port_of_redis() -> None:
    address = RedisAddress.parse("redis+cluster://me:p@one,two:7001")
    assert (address.kind, address.endpoints) == ("cluster", (Endpoint("one", 6379), Endpoint("two", 7001)))
    options = parse_url(address.server_url(Endpoint("three", 7002)))
    assert options == {"host": "three", "port": 7002, "db": 0, "username": "me", "password": "p"}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis+sentinel://one,two", "lacks the primary's name"),
        ("redis+sentinel://one,,two/bing", "host without a name"),
        ("redis+sentinel:///bing", "host without a name"),
        ("redis+sentinel://one:port/bing", "is not an address of Redis"),
        ("redis+sentinel://one/bing/first", "database that is no number"),
        ("redis+sentinel://one/bing?sentinel_pasword=x", "option that is not known: sentinel_pasword"),
        ("redis+sentinel://one/bing?socket_timeout=long", "is not an address of Redis"),
        ("redis+cluster://one/3", "a cluster has only database 0"),
        ("redis+cluster://one?sentinel_password=x", "option that is not known"),
        ("redis+cluster://one:99999", "is not an address of Redis"),
        ("redis+ring://one", "must begin with one of memory://"),
    ],
)
def test_a_wrong_address_is_refused_in_a_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^REDIS_URL .*[^\n]$") as refused:
        RedisAddress.parse(url.replace("://", "://user:hidden@", 1))
    assert sentence in str(refused.value)
    assert "hidden" not in str(refused.value)
