"""Two users behind one address, by real sockets and two gateways: neither meets the names that the other one gives."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from gateway.auth.name_owner import COOKIE, TLS_COOKIE, find_owner
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.jobs import Client
from wire.messages import Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

KEY = "order-0000000042"
SECRET = b"s" * 32
NAMED = {"x-conversation-id": "chat-of-the-house"}
CHAT = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hi"}]}
ASK = {"style": "balanced", "question": "hi"}
COOKIES = {name: {"cookie": f"other=1; {COOKIE}={name * 32}"} for name in "ab"}
# What two users may bring, who are then known apart.
PAIRS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "bearers": ({"authorization": "Bearer one"}, {"authorization": "Bearer two"}),
    "keys": ({"x-api-key": "one"}, {"x-api-key": "two"}),
    "bare": ({"authorization": "one"}, {"authorization": "two"}),
    "basic": ({"authorization": "Basic YTpi"}, {"authorization": "Basic YTpj"}),
    "cookies": (COOKIES["a"], COOKIES["b"]),
    "cookies with the same key": ({"x-api-key": "k"} | COOKIES["a"], {"x-api-key": "k"} | COOKIES["b"]),
    "one with a key": ({"x-api-key": "one"}, {}),
    "one with a cookie": (COOKIES["a"], {}),
}
# Where an Idempotency-Key may come.
REQUESTS: Mapping[str, dict[str, Any]] = {
    "/api": {"json": ASK},
    "/api_stream": {"json": ASK},
    "/image": {"json": {"keyword": "hi"}},
    "/v1/chat/completions": {"json": CHAT},
    "/v1/completions": {"json": {"model": "bing-balanced", "prompt": "hi"}},
    "/v1/responses": {"json": {"model": "bing-balanced", "input": "hi"}},
    "/v1/messages": {"json": CHAT | {"max_tokens": 9}},
    "/v1/images/generations": {"json": {"prompt": "hi"}},
    "/v1/embeddings": {"json": {"model": "embed", "input": "hi"}},
}


@dataclass(frozen=True)
class Pair:
    """Two gateways on one Redis, with one worker, and a secret that is known here."""

    gateways: tuple[RunningGateway, RunningGateway]

    @property
    def first(self) -> RunningGateway:
        return self.gateways[0]

    @property
    def tokens(self) -> list[str]:
        """The conversations that were asked in."""
        return [token for token, _ in self.first.worker.asked]

    async def ask(self, number: int, path: str, headers: Mapping[str, str]) -> httpx.Response:
        """Ask at one of them. Each request has a connection and a jar of its own."""
        async with httpx.AsyncClient(base_url=self.gateways[number].address, trust_env=False, timeout=10) as client:
            return await client.post(path, headers=dict(headers), **REQUESTS[path])

    async def answer_ids(self, path: str, *users: Mapping[str, str], key: str = KEY) -> list[str]:
        """Return the answers that users get under the same Idempotency-Key, at either gateway in turn."""
        asked = [
            await self.ask(number % 2, path, {**user, "idempotency-key": key}) for number, user in enumerate(users)
        ]
        assert {response.status_code for response in asked} == {200}, [response.text for response in asked]
        return [response.headers["x-answer-id"] for response in asked]


@asynccontextmanager
async def paired(store: Store, folder: Path, **changes: Any) -> AsyncIterator[Pair]:
    (folder / "secret").write_bytes(SECRET)
    config = settings(secret_file=folder / "secret", **changes)
    async with running(store, config) as first, running(store, config, worker=False) as second:
        await first.announce("a", "embed", calls=("embeddings",))
        first.worker.results["embed"], first.worker.scripts["embed"] = b"{}", [Final("", model="embed")]
        yield Pair((first, second))


@pytest.fixture
async def pair(store: Store, tmp_path: Path) -> AsyncIterator[Pair]:
    async with paired(store, tmp_path) as two:
        yield two


@pytest.mark.parametrize("path", REQUESTS)
async def test_a_key_gives_its_own_user_the_same_answer_and_no_other_user(pair: Pair, path: str) -> None:
    one, two = PAIRS["bearers"]
    ids = await pair.answer_ids(path, one, one, two, two, one)
    assert [ids.index(id_) for id_ in ids] == [0, 0, 2, 2, 0]
    assert len(set(pair.tokens)) == len(pair.tokens) == 2


@pytest.mark.parametrize("brought", PAIRS)
async def test_users_are_known_apart_by_what_they_bring(pair: Pair, brought: str) -> None:
    users = PAIRS[brought]
    for path in ("/api", "/v1/chat/completions"):
        ids = await pair.answer_ids(path, *users, *users)
        assert [ids.index(id_) for id_ in ids] == [0, 1, 0, 1]


@pytest.mark.parametrize("brought", PAIRS)
async def test_a_conversation_with_a_name_is_its_users_own(pair: Pair, brought: str) -> None:
    for number in (0, 1):
        for user in PAIRS[brought]:
            await pair.ask(number, "/v1/chat/completions", {**user, **NAMED})
    first, second, *later = pair.tokens
    assert first != second
    assert later == [first, second]


@pytest.mark.parametrize("brought", PAIRS)
async def test_a_history_continues_its_users_own_conversation(pair: Pair, brought: str) -> None:
    for user in PAIRS[brought]:
        answer = (await pair.ask(0, "/v1/chat/completions", user)).json()["choices"][0]["message"]
    more = CHAT | {"messages": [*CHAT["messages"], answer, {"role": "user", "content": "on"}]}
    for user in PAIRS[brought]:
        response = await pair.gateways[1].client.post("/v1/chat/completions", json=more, headers=dict(user))
        assert response.status_code == 200
    first, second, *later = pair.tokens
    assert first != second
    assert later == [first, second]


async def test_a_key_on_a_socket_is_its_users_own(pair: Pair) -> None:
    answers = []
    for number in (0, 1):
        for user in ("one", "two"):
            async with pair.gateways[number].socket(
                "/ws_stream", subprotocols=["bing-chat.v2", f"key.{user}"]
            ) as socket:
                await socket.send(json.dumps({"type": "ask", "id": "1", "idempotency_key": KEY, **ASK}))
                answers.append(json.loads(await socket.recv())["answer"])
    assert [answers.index(answer) for answer in answers] == [0, 1, 0, 1]


async def test_a_browser_has_the_cookie_before_it_asks_and_is_itself_anywhere(store: Store, tmp_path: Path) -> None:
    """Also from another address, as a phone that changes its network."""
    async with paired(store, tmp_path, trusted_proxies="127.0.0.1") as pair:
        browsers = [{"cookie": await read_cookie(pair.first)} for _ in range(2)]
        places = [{"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "198.51.100.2"}]
        ids = await pair.answer_ids("/api", *(browser | place for place in places for browser in browsers))
        assert [ids.index(id_) for id_ in ids] == [0, 1, 0, 1]


async def read_cookie(gateway: RunningGateway) -> str:
    """Return the cookie of a new browser, as it sends it."""
    async with httpx.AsyncClient(base_url=gateway.address, trust_env=False) as browser:
        (given,) = (await browser.get("/")).headers.get_list("set-cookie")
    return str(given.partition(";")[0])


async def test_the_same_key_at_another_address_is_another_user(store: Store, tmp_path: Path) -> None:
    """As the key that a program sends because it has to send some."""
    async with paired(store, tmp_path, trusted_proxies="127.0.0.1") as pair:
        users = [{"x-api-key": "EMPTY", "x-forwarded-for": f"192.0.2.{number}"} for number in (1, 2)]
        assert len(set(await pair.answer_ids("/api", *users))) == 2


async def test_who_brings_nothing_has_the_names_of_the_version_before(pair: Pair) -> None:
    """So a repeat finds its answer over the update. The digests are those of 0.2.0."""
    ids = await pair.answer_ids("/api", {}, {})
    assert len(set(ids)) == 1
    name = hmac.digest(SECRET, json.dumps(["name", "address:127.0.0.1", KEY, "/api", None]).encode(), hashlib.sha256)
    assert await redis_client(pair.first.store).exists(keys.idem_key(name.hex()))


async def test_a_holder_has_the_names_of_the_version_before(store: Store, tmp_path: Path) -> None:
    """With a cookie too: there may be one from a time without API keys."""
    (tmp_path / "keys").write_text(f"alice {hashlib.sha256(b'alices-key').hexdigest()}\n")
    async with paired(store, tmp_path, api_keys_file=tmp_path / "keys") as pair:
        alice = {"x-api-key": "alices-key"}
        ids = await pair.answer_ids("/api", alice, alice | COOKIES["a"])
        assert len(set(ids)) == 1
        name = hmac.digest(SECRET, json.dumps(["name", "key:alice", KEY, "/api", None]).encode(), hashlib.sha256)
        assert await redis_client(pair.first.store).exists(keys.idem_key(name.hex()))
        assert "set-cookie" not in (await pair.first.client.get("/")).headers


async def test_made_up_keys_and_cookies_give_no_more_room(store: Store, tmp_path: Path) -> None:
    async with paired(store, tmp_path, client_limit=1) as pair:
        with closing_gate() as gate:
            pair.first.worker.scripts["hi"] = [gate, Final("yes")]
            async with pair.first.client.stream("GET", "/api_stream", params=ASK, headers=PAIRS["bearers"][0]):
                await until(lambda: pair.first.worker.asked, "the first question runs")
                for user in (*PAIRS["bearers"], *PAIRS["cookies"], {}):
                    for key in ({}, {"idempotency-key": KEY}):
                        assert (await pair.ask(1, "/api", {**user, **key})).status_code == 429
                gate.set()


async def test_a_program_that_keeps_cookies_is_itself_when_it_repeats(pair: Pair) -> None:
    """No answer gives a cookie: its client would repeat the question as somebody else, who asked nothing."""
    for path in (*REQUESTS, "/v1/models", "/readyz"):
        method = "POST" if path in REQUESTS else "GET"
        response = await pair.first.client.request(method, path, **REQUESTS.get(path, {}))
        assert "set-cookie" not in response.headers
    assert not pair.first.client.cookies


async def test_the_cookie_is_random_kept_and_for_the_page_alone(gateway: RunningGateway) -> None:
    assert await read_cookie(gateway) != await read_cookie(gateway)
    first = await gateway.client.get("/")
    again = await gateway.client.get("/")
    value, *attributes = first.headers["set-cookie"].split("; ")
    assert value == f"{COOKIE}={gateway.client.cookies[COOKIE]}"
    assert sorted(attributes) == ["HttpOnly", "Max-Age=34560000", "Path=/", "SameSite=lax"]
    assert again.headers["set-cookie"] == first.headers["set-cookie"]
    assert first.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("value", ["", "short", "a" * 33, "é" * 32, "a" * 15 + " " + "b" * 16, "a" * 31 + '"'])
async def test_a_cookie_that_no_gateway_gave_is_none(gateway: RunningGateway, value: str) -> None:
    sent = httpx.Headers({"cookie": f"{COOKIE}={value}"}, encoding="utf-8")
    given = (await gateway.client.get("/", headers=sent)).headers["set-cookie"]
    assert len(given.partition(";")[0]) == len(COOKIE) + 1 + 32
    assert value == "" or value not in given


async def test_cookies_are_not_read_by_what_takes_long_for_some(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Python 3.11.10 it took half a minute for 64 kB of backslashes, in which nobody was served."""

    def read_slowly(text: str) -> str:
        raise AssertionError(text)

    monkeypatch.setattr("http.cookies._unquote", read_slowly)
    other = 'other="' + "\\" * 60_000 + '"'
    given = [
        (await gateway.client.get("/", headers={"cookie": cookies})).headers["set-cookie"]
        for cookies in (f"{other}; {COOKIE}={'a' * 32}", f"{COOKIE}={'b' * 32}; {COOKIE} = {'a' * 32} ; {other}")
    ]
    assert [cookie.partition(";")[0] for cookie in given] == [f"{COOKIE}={'a' * 32}"] * 2


async def test_behind_tls_the_cookie_is_for_tls(store: Store, tmp_path: Path) -> None:
    async with paired(store, tmp_path, trusted_proxies="127.0.0.1") as pair:
        response = await pair.first.client.get("/", headers={"x-forwarded-proto": "https"})
        name, *attributes = response.headers["set-cookie"].split("; ")
        assert name.startswith(f"{TLS_COOKIE}=")
        # What browsers want of a cookie with that prefix: else they drop it.
        assert {"Secure", "Path=/"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)


async def test_behind_tls_a_cookie_that_another_name_can_set_does_not_count(store: Store, tmp_path: Path) -> None:
    """A page below the same domain can set one without the prefix for all names of that domain."""
    foreign = COOKIES["a"]["cookie"]
    async with paired(store, tmp_path, trusted_proxies="127.0.0.1") as pair:
        headers = {"x-forwarded-proto": "https", "cookie": foreign}
        given = (await pair.first.client.get("/", headers=headers)).headers["set-cookie"].partition(";")[0]
        assert "a" * 32 not in given
        ids = await pair.answer_ids("/api", {"cookie": f"{given}; {foreign}"}, COOKIES["a"], {"cookie": given})
        assert [ids.index(id_) for id_ in ids] == [0, 1, 0]


@pytest.mark.parametrize("scheme", ["Digest", "Negotiate", "NTLM", "AWS4-HMAC-SHA256"])
def test_what_differs_from_request_to_request_is_nobodys_mark(scheme: str) -> None:
    connections = [
        HTTPConnection(
            {
                "type": "http",
                "headers": [(b"authorization", f"{scheme} {base64.b64encode(nonce).decode()}".encode())],
                "query_string": b"",
            }
        )
        for nonce in (b"1", b"2")
    ]
    assert [find_owner(connection, Client("address:1")) for connection in connections] == ["", ""]
