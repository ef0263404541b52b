"""API keys and limits of clients over real connections."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.auth.api_keys import ApiKey
from gateway.auth.clients import Clients, read_api_key
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, received, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.errors import ClientDailyError
from wire.jobs import Client, Jobs
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}
ALICE, BOB = "alices-key-of-many-characters", "bobs-key-of-many-characters"
WRONG = {"code": 401, "message": "API key 缺失或无效"}
ANSWER = "s0-" + "0" * 32


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    hashes = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in (("alice", ALICE), ("bob", BOB))}
    path.write_text(f"alice {hashes['alice']}\nbob {hashes['bob']} 1\n")
    return path


def as_(key: str) -> dict[str, str]:
    return {"x-api-key": key}


@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"Authorization": f"Bearer {ALICE}"}},
        {"headers": {"Authorization": f"bearer  {ALICE}"}},
        {"headers": {"X-API-Key": ALICE}},
        {"headers": {"Authorization": "Basic eDp5", "X-API-Key": ALICE}},
        {"params": {"api_key": ALICE}},
    ],
)
async def test_a_key_may_be_sent_in_each_way(store: Store, keys_file: Path, sent: dict[str, Any]) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        for path in ("/api", "/api_stream", "/image"):
            fields = ASK | {"keyword": "cat"} | sent.get("params", {})
            assert (await gateway.client.get(path, params=fields, headers=sent.get("headers"))).status_code == 200
        assert len(gateway.worker.asked) == 3


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"headers": {"Authorization": "Bearer wrong"}},
        {"headers": {"Authorization": f"Basic {ALICE}"}},
        {"headers": {"X-API-Key": hashlib.sha256(ALICE.encode()).hexdigest()}},
        {"params": {"api_key": "wrong"}},
        {"params": {"api_key": ""}},
    ],
)
async def test_without_a_right_key_nothing_is_asked(store: Store, keys_file: Path, sent: dict[str, Any]) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        for path in ("/api", "/api_stream", "/image", f"/answers/{ANSWER}", f"/answers/{ANSWER}/stream"):
            # Before everything else: not even errors in the parameters are reported.
            for fields in ({**ASK, "keyword": "cat"}, {}):
                response = await gateway.client.get(
                    path, params={**fields, **sent.get("params", {})}, headers=sent.get("headers")
                )
                assert (response.status_code, response.json()) == (401, WRONG)
                assert response.headers["www-authenticate"] == "Bearer"
                assert response.headers["access-control-allow-origin"] == "*"
        english = await gateway.client.post("/api", json=ASK, headers={"accept-language": "en"})
        assert english.json() == {"code": 401, "message": "API key missing or wrong"}
        assert gateway.worker.asked == []


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (b"a=1&api_key=one", "one"),
        (b"api_key=one&api_key=t%77o+3", "two 3"),
        (b"api_key=&api_keys=x&xapi_key=y", ""),
        (b"%41&" * 15_000 + b"api_key=one", "one"),
    ],
)
def test_a_querys_last_key_counts(query: bytes, key: str) -> None:
    scope = {"type": "http", "headers": [], "query_string": query}
    assert read_api_key(HTTPConnection(scope)) == key


async def test_a_socket_is_refused_before_it_opens(store: Store, keys_file: Path) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        for path in ("/ws", "/ws_stream"):
            for options in ({}, {"subprotocols": [Subprotocol("key.wrong")]}):
                with pytest.raises(InvalidStatus) as refused:
                    await gateway.socket(path, **options)
                assert refused.value.response.status_code == 401
                assert json.loads(refused.value.response.body or b"") == WRONG


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
async def test_a_socket_may_send_its_key_in_each_way(store: Store, keys_file: Path, path: str) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        mine = Subprotocol(f"key.{ALICE}")
        for target, options in (
            (path, {"subprotocols": [Subprotocol("other"), mine]}),
            (f"{path}?api_key={ALICE}", {}),
            (path, {"additional_headers": {"Authorization": f"Bearer {ALICE}"}}),
        ):
            async with gateway.socket(target, **options) as socket:
                # A browser hangs up unless it gets one of the subprotocols that it offered.
                assert socket.subprotocol == (mine if "subprotocols" in options else None)
                await socket.send(json.dumps(ASK))
                assert (await received(socket))[-1]["code"] == 200


async def test_without_a_list_of_keys_whatever_is_sent_is_fine(gateway: RunningGateway) -> None:
    assert (await gateway.client.get("/api", params=ASK, headers=as_("any"))).status_code == 200
    async with gateway.socket("/ws", subprotocols=[Subprotocol("key.any")]) as socket:
        await socket.send(json.dumps(ASK))
        assert (await received(socket))[-1]["code"] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/page/-/js/main.js"])
async def test_some_paths_stay_open(store: Store, keys_file: Path, path: str) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        await until(lambda: _ready(gateway))
        assert (await gateway.client.get(path)).status_code == 200


async def _ready(gateway: RunningGateway) -> bool:
    return (await gateway.client.get("/readyz")).status_code == 200


async def test_a_token_answers_only_to_the_key_that_made_it(store: Store, keys_file: Path) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        response = await gateway.client.get("/api", params=ASK, headers=as_(ALICE))
        token = response.json()["data"]["token"]
        for path in ("/api", "/api_stream"):
            refused = await gateway.client.get(path, params=ASK | {"token": token}, headers=as_(BOB))
            assert (refused.status_code, refused.json()) == (200, {"code": 120, "message": "token不存在"})
        async with gateway.socket(f"/ws?api_key={BOB}") as socket:
            await socket.send(json.dumps(ASK | {"token": token}))
            assert (await received(socket))[-1]["code"] == 120
        continued = await gateway.client.get("/api", params=ASK | {"token": token}, headers=as_(ALICE))
        assert continued.json()["data"]["token"] == token
        assert len(gateway.worker.asked) == 2


async def test_an_answer_answers_only_to_the_key_that_asked(store: Store, keys_file: Path) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
            async with gateway.client.stream("GET", "/api_stream", params=ASK, headers=as_(ALICE)) as response:
                answer = response.headers["x-answer-id"]
                for method, path in (("GET", ""), ("DELETE", ""), ("HEAD", ""), ("GET", "/stream")):
                    refusal = await gateway.client.request(method, f"/answers/{answer}{path}", headers=as_(BOB))
                    assert refusal.status_code == 404
                events = {"accept": "text/event-stream", "last-event-id": f"{answer}.0"}
                assert (await gateway.client.get("/api_stream", headers=as_(BOB) | events)).status_code == 204
                mine = await gateway.client.get(f"/answers/{answer}", headers=as_(ALICE))
                assert mine.status_code == 200
                gate.set()
                await response.aread()
                assert b'"answer": "ab"' in response.content


async def test_the_same_idempotency_key_of_two_clients_is_two_keys(store: Store, keys_file: Path) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        # With API keys it may be short: nobody shares it.
        responses = [
            await gateway.client.get("/api", params=ASK, headers=as_(key) | {"Idempotency-Key": "1"})
            for key in (ALICE, ALICE, BOB)
        ]
        tokens = [response.json()["data"]["token"] for response in responses]
        assert tokens[0] == tokens[1] != tokens[2]
        assert len(gateway.worker.asked) == 2


async def test_a_key_is_in_no_log_and_not_in_redis(store: Store, keys_file: Path) -> None:
    with capture_logs() as logs:
        async with running(store, settings(api_keys_file=keys_file)) as gateway:
            await gateway.client.get("/api", params=ASK | {"api_key": ALICE}, headers=as_(ALICE))
            await gateway.client.get("/api", params=ASK, headers=as_("wrong-key"))
            commands: Any = redis_client(store)
            names = [key.decode() for key in await commands.keys("*")]
    assert logs
    for text in (str(logs), str(names)):
        assert ALICE not in text
        assert "wrong-key" not in text


def test_a_file_of_keys_that_is_no_good_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.__main__ import main

    monkeypatch.setenv("GATEWAY_PORT", "0")
    monkeypatch.setenv("REDIS_URL", "memory://")
    for name in ("API_KEYS_FILE", "SECRET_FILE"):
        with monkeypatch.context() as set_:
            set_.setenv(name, str(tmp_path / "none"))
            with pytest.raises(SystemExit, match=rf"^{name}: .*none can't be read\.$"):
                main()


# Limits


def has_retry_after(response: httpx.Response, code: int, message: str) -> bool:
    assert (response.status_code, response.json()) == (code, {"code": code, "message": message})
    return 1 <= int(response.headers["retry-after"]) <= 60


MUCH, BUSY = "请求过多,请稍后再试", "服务繁忙,请稍后再试"


async def test_a_key_has_the_limit_of_its_line(store: Store, keys_file: Path) -> None:
    async with running(store, settings(api_keys_file=keys_file)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Final("slow")]
            slow = ASK | {"question": "slow"}
            first = asyncio.create_task(gateway.client.get("/api", params=slow, headers=as_(BOB)))
            await until(lambda: len(gateway.worker.asked) == 1)
            for path in ("/api", "/api_stream", "/image"):
                refused = await gateway.client.get(path, params=ASK | {"keyword": "cat"}, headers=as_(BOB))
                assert has_retry_after(refused, 429, MUCH)
                assert "x-answer-id" not in refused.headers
            async with gateway.socket(f"/ws_stream?api_key={BOB}") as socket:
                await socket.send(json.dumps(ASK))
                assert await received(socket) == [{"code": 429, "message": MUCH}]
                assert (await gateway.client.get("/api", params=ASK, headers=as_(ALICE))).status_code == 200
                gate.set()
                assert (await first).status_code == 200
                await socket.send(json.dumps(ASK))
                assert (await received(socket))[-1]["code"] == 200


async def test_an_address_has_a_limit_that_no_header_gets_around(store: Store) -> None:
    async with running(store, settings(client_limit=1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Final("slow")]
            first = asyncio.create_task(gateway.client.get("/api", params=ASK | {"question": "slow"}))
            await until(lambda: len(gateway.worker.asked) == 1)
            for headers in ({}, {"x-forwarded-for": "203.0.113.1"}, {"forwarded": "for=203.0.113.1"}):
                assert has_retry_after(await gateway.client.get("/api", params=ASK, headers=headers), 429, MUCH)
            english = await gateway.client.get("/api", params=ASK, headers={"accept-language": "en"})
            assert english.json()["message"] == "Too many requests, come back later"
            gate.set()
            await first
        assert (await gateway.client.get("/api", params=ASK)).status_code == 200


def test_a_client_has_what_its_keys_line_says() -> None:
    key = ApiKey("bob", hashlib.sha256(BOB.encode()).hexdigest(), 7, ("bing-*",), 4, 200)
    connection = HTTPConnection({"type": "http", "headers": [(b"x-api-key", BOB.encode())], "query_string": b""})
    assert Clients([key]).identify(connection) == Client("key:bob", "bob", 7, ("bing-*",), weight=4, daily=200)


DAY_OVER = "今日提问次数已用完,请稍后再试"


@pytest.fixture
def day_over(keys_file: Path) -> Path:
    """The file of keys, by which Alice may ask one question a day."""
    keys_file.write_text(keys_file.read_text().replace("\nbob", " daily=1\nbob"))
    return keys_file


async def test_two_gateways_count_a_keys_day_together(store: Store, day_over: Path) -> None:
    config = settings(api_keys_file=day_over)
    async with running(store, config) as first, running(store, config, worker=False) as second:
        key = as_(ALICE) | {"Idempotency-Key": "1"}
        whole = await first.client.get("/api", params=ASK, headers=key)
        refused = await second.client.get("/api", params=ASK, headers=as_(ALICE))
        assert (refused.status_code, refused.json()) == (429, {"code": 429, "message": DAY_OVER})
        assert 1 <= int(refused.headers["retry-after"]) <= 86400
        assert (await second.client.get("/api", params=ASK, headers=key)).json() == whole.json()
        assert (await second.client.get("/api", params=ASK, headers=as_(BOB))).status_code == 200
        assert len(first.worker.asked) == 2


async def test_each_api_says_in_its_own_way_that_the_day_is_over(
    store: Store, day_over: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ClientDailyError(3600)

    monkeypatch.setattr(Jobs, "submit", refuse)
    message = {"model": "bing-balanced", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    async with running(store, settings(api_keys_file=day_over)) as gateway:

        async def post(path: str, fields: object, **headers: str) -> httpx.Response:
            refused = await gateway.client.post(path, json=fields, headers=as_(ALICE) | headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
            return refused

        for path in ("/api", "/api_stream", "/image"):
            english = await post(path, ASK | {"keyword": "cat"}, **{"accept-language": "en"})
            assert english.json() == {"code": 429, "message": "The day's questions are used up, come back later"}
        response = {"model": "bing-balanced", "input": "hi"}
        for path, fields in (("/v1/chat/completions", message), ("/v1/responses", response)):
            refused = await post(path, fields)
            error = {"type": "rate_limit_error", "code": "rate_limit_exceeded", "param": None}
            assert refused.json()["error"] == {"message": "The daily limit of requests is reached.", **error}
            assert refused.headers["x-should-retry"] == "false"
        refused = await post("/v1/messages", message, **{"anthropic-version": "2023-06-01"})
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert refused.headers["x-should-retry"] == "false"
        async with gateway.socket(f"/ws?api_key={ALICE}") as socket:
            await socket.send(json.dumps(ASK))
            assert await received(socket) == [{"code": 429, "message": DAY_OVER}]
        v2 = [Subprotocol("bing-chat.v2")]
        async with gateway.socket(f"/ws_stream?api_key={ALICE}", subprotocols=v2) as socket:
            await socket.send(json.dumps({"type": "ask", "id": "1"} | ASK))
            frame = json.loads(await socket.recv())
            assert (frame["code"], frame["reason"], frame["retry_after"]) == (429, "client.daily", 3600)


async def test_behind_a_trusted_proxy_each_address_has_its_own(store: Store) -> None:
    async with running(store, settings(client_limit=1, trusted_proxies="127.0.0.1")) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Final("slow")]

            async def ask(question: str, *hops: str) -> httpx.Response:
                forwarded = [("x-forwarded-for", hop) for hop in hops]
                return await gateway.client.get("/api", params=ASK | {"question": question}, headers=forwarded)

            first = asyncio.create_task(ask("slow", "203.0.113.1"))
            await until(lambda: len(gateway.worker.asked) == 1)
            assert (await ask("hi", "203.0.113.1")).status_code == 429
            assert (await ask("hi", "9.9.9.9, 203.0.113.1")).status_code == 429
            assert (await ask("hi", "9.9.9.9", "203.0.113.1")).status_code == 429
            assert (await ask("hi", "203.0.113.2")).status_code == 200
            gate.set()
            assert (await first).status_code == 200


async def test_a_full_mailbox_is_busy(store: Store) -> None:
    async with running(store, settings(mailbox_limit=1)) as gateway:
        token = (await gateway.client.get("/api", params=ASK)).json()["data"]["token"]
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Final("slow")]
            slow = ASK | {"question": "slow", "token": token}
            running_ = asyncio.create_task(gateway.client.get("/api", params=slow))
            await until(lambda: len(gateway.worker.asked) == 2)
            waiting = asyncio.create_task(gateway.client.get("/api", params=ASK | {"token": token}))
            commands: Any = redis_client(store)
            mailbox = keys.mailbox_key(token)

            async def waits() -> bool:
                return bool(await commands.llen(mailbox))

            await until(waits)
            refused = await gateway.client.get("/api", params=ASK | {"token": token})
            assert has_retry_after(refused, 503, BUSY)
            assert (await gateway.client.get("/api", params=ASK)).status_code == 200
            gate.set()
            assert [(await task).status_code for task in (running_, waiting)] == [200, 200]


async def test_who_left_or_failed_counts_no_more(store: Store) -> None:
    async with running(store, settings(client_limit=1, queue_timeout=0.1), worker=False) as gateway:
        for _ in range(3):
            assert has_retry_after(await gateway.client.get("/api", params=ASK), 503, BUSY)
        commands: Any = redis_client(store)
        assert await commands.keys("*client:*") == []
