"""The console's endpoints as the document describes them: every one is called, and every answer is held against it."""

import asyncio
import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.answering.timings import Timings
from gateway.docs import openapi
from tests.support.api_document import Document, events
from tests.support.gateway import console_client
from tests.support.gateway.console_client import BEARER, looking, sees
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.ledger import PICTURES, AccountRecord, AccountStatus, Ledger
from wire.messages import Delta, Final
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

LIVE, ACCOUNTS, STOP = "/console/live", "/console/accounts", "/console/answers/{answer}/stop"
ORDER = "/console/accounts/{name}/{order}"
EXPORT = {"name": "alice", "export": "_U=planted"}
UNKNOWN = "s0-" + "0" * 32

console = partial(console_client.console, timings=Timings(console_poll_every=0.05))


class Caller:
    """Sends requests to a gateway; each response must be one that the document has."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.document = Document(openapi.document())
        self._client = gateway.client

    async def __call__(self, method: str, path: str, address: str = "", **request: Any) -> int:
        response = await self._client.request(method, address or path, **{"headers": BEARER, **request})
        self.document.response(method.lower(), path, response)
        return response.status_code


def successes(document: Document) -> set[tuple[str, str]]:
    """The operations of the console that the document has."""
    paths = {path: item for path, item in document.content["paths"].items() if path.startswith("/console")}
    return {(method, path) for path, item in paths.items() for method in item.keys() - {"parameters"}}


async def announce(store: Store, *names: str) -> None:
    for name in names:
        await Ledger(store).announce(AccountRecord(name, "print", provider="edgegpt"), AccountStatus(name))


async def test_every_action_answers_as_documented(store: Store, tmp_path: Path) -> None:
    await announce(store, "alice")
    gate = asyncio.Event()
    async with console(store, tmp_path) as gateway:
        call = Caller(gateway)
        assert await call("POST", ACCOUNTS, json=EXPORT) == 200
        for order in ("pause", "resume", "release", "reset"):
            assert await call("POST", ORDER, f"/console/accounts/alice/{order}") == 200
        gateway.worker.scripts["held"] = [Delta("a"), gate, Final("a")]
        question = {"style": "balanced", "question": "held"}
        async with gateway.client.stream("GET", "/api_stream", params=question) as asked:
            answer = asked.headers["x-answer-id"]
            assert await call("POST", STOP, f"/console/answers/{answer}/stop") == 200
            gate.set()
        called = {(method, path) for method, path, status, _ in call.document.checked if status == "200"}
        assert called == successes(call.document) - {("get", LIVE)}


async def test_every_event_of_the_live_stream_is_documented(store: Store, tmp_path: Path) -> None:
    await announce(store, "alice", "alice" + PICTURES, "bob")
    load = ProcessLoad(slots=8, used=1, running=(("s0-1", "chat"),))
    reporter = Reporter(store, "worker", "scripted", lambda: load, lambda: {"done": 3}, lambda: False)
    async with console(store, tmp_path) as gateway, looking(gateway) as page:
        await reporter.report()
        await Ledger(store).execute_order("bob", "pause", by="olivia")
        await sees(lambda: page.account("alice") and page.minutes and page.events and page.state["workers"])
    document, received = Document(openapi.document()), list(events(page.raw))
    stream = document.content["paths"][LIVE]["get"]["responses"]["200"]["content"]["text/event-stream"]
    for event in received:
        document.event(stream["schema"], event)
    assert {event["event"] for event in received} == {"hello", "state", "minutes", "events"}


async def test_every_refusal_is_documented(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path) as gateway:
        call = Caller(gateway)
        for method, path in successes(call.document):
            assert await call(method.upper(), path, headers={}) == 401
        for order in ("pause", "destroy"):
            assert await call("POST", ORDER, f"/console/accounts/nobody/{order}") == 404
        assert await call("POST", STOP, f"/console/answers/{UNKNOWN}/stop") == 404
        assert await call("POST", ACCOUNTS, content=b"x" * (3 * 2**20 + 1)) == 413
        assert await call("POST", ACCOUNTS, headers=BEARER | {"content-encoding": "gzip"}, content=b"x") == 415
        bodies: list[Any] = [[], EXPORT | {"name": ".x"}, EXPORT | {"export": ""}]
        for body in bodies:
            assert await call("POST", ACCOUNTS, json=body) == 400
        wrong = {"authorization": "Bearer wrong"}
        for _ in range(10):
            await call("POST", ACCOUNTS, headers=wrong)
        for method, path in successes(call.document):
            assert await call(method.upper(), path, headers=wrong) == 429


async def test_a_console_that_is_off_is_not_found_as_documented(store: Store) -> None:
    async with running(store, settings()) as gateway:
        call = Caller(gateway)
        for method, path in successes(call.document):
            assert await call(method.upper(), path) == 404


async def test_an_api_key_opens_no_console_and_an_admin_key_asks_no_question(store: Store, tmp_path: Path) -> None:
    (keys := tmp_path / "keys").write_text(f"app {hashlib.sha256(b'an-api-key').hexdigest()}\n")
    async with console(store, tmp_path, api_keys_file=keys) as gateway:
        call = Caller(gateway)
        assert await call("GET", LIVE, headers={"authorization": "Bearer an-api-key"}) == 401
        response: httpx.Response = await gateway.client.get("/v1/models", headers=BEARER)
        assert response.status_code == 401
