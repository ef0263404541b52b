"""Whether there is a worker, and what becomes of questions while there is none."""

import asyncio
import time

import httpx
import pytest

from gateway.answering.presence import WorkerPresence
from gateway.answering.timings import Timings
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, frames_of, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.store import Store
from wire.sessions import Sessions

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}
SAID = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hi"}]}
NOBODY = {"code": 503, "message": "No worker with an account is running, come back later"}
ENGLISH = {"accept-language": "en"}
SOON = Timings(worker_patience=0.3, worker_look_every=0.05)


async def refused(gateway: RunningGateway) -> httpx.Response:
    """A question's refusal, which doesn't take long."""
    began = time.monotonic()
    response = await gateway.client.get("/api", params=ASK, headers=ENGLISH)
    assert time.monotonic() - began < 3
    return response


async def seen_nobody(gateway: RunningGateway) -> None:
    """Wait until the gateway knows that nobody is there."""

    async def known() -> bool:
        return (await gateway.client.get("/api", params=ASK)).status_code == 503

    await until(known, "a question is refused")


async def test_where_no_worker_ever_was_a_question_is_refused_at_once(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        await seen_nobody(gateway)
        response = await refused(gateway)
        assert (response.status_code, response.json()) == (503, NOBODY)
        assert response.headers["retry-after"] == "5"
        assert await redis_client(store).zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_under_v1_the_refusal_has_its_own_code(store: Store, stream: bool) -> None:
    async with running(store, worker=None) as gateway:
        await seen_nobody(gateway)
        response = await gateway.client.post("/v1/chat/completions", json=SAID | {"stream": stream})
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "worker.none"
        assert response.json()["error"]["message"] == "No worker with an account is running, try again later."


async def waiting(store: Store) -> None:
    """Wait until a question waits for a worker."""

    async def waits() -> bool:
        return bool(await redis_client(store).zcard(keys.queued_key()))

    await until(waits, "a question waits")


async def test_an_eventsource_and_pictures_are_refused_alike(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        await seen_nobody(gateway)
        listening = ENGLISH | {"accept": "text/event-stream"}
        assert (await gateway.client.get("/api_stream", params=ASK, headers=listening)).json() == NOBODY
        assert (await gateway.client.get("/image", params={"keyword": "cat"}, headers=ENGLISH)).json() == NOBODY


async def test_on_a_socket_it_is_a_frame(store: Store) -> None:
    async with running(store, worker=None) as gateway, gateway.socket("/ws") as socket:
        await seen_nobody(gateway)
        await socket.send('{"style": "balanced", "question": "hi"}')
        assert '"code": 503' in str(await socket.recv())


async def test_a_question_that_waits_is_refused_once_the_workers_are_gone_for_long(store: Store) -> None:
    async with running(store, settings(queue_timeout=60), worker=False, timings=SOON) as gateway:
        asking = asyncio.create_task(gateway.client.get("/api_stream", params=ASK, headers=ENGLISH))
        await waiting(store)
        await gateway.lose_worker()
        assert frames_of((await asking).content) == [NOBODY]
        assert await redis_client(store).zcard(keys.queued_key()) == 0


async def test_a_worker_that_comes_back_is_asked_at_once(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        await seen_nobody(gateway)
        await Sessions(store).beat("back")
        asking = asyncio.create_task(gateway.client.get("/api", params=ASK))
        await waiting(store)
        asking.cancel()


async def test_workers_whose_accounts_were_all_removed_answer_nothing(store: Store) -> None:
    async with running(store, settings(queue_timeout=60), worker=False, timings=SOON) as gateway:
        asking = asyncio.create_task(gateway.client.get("/api", params=ASK, headers=ENGLISH))
        await waiting(store)
        await gateway.lose_accounts()
        assert (await asking).json() == NOBODY
        assert (await refused(gateway)).json() == NOBODY


async def test_what_was_asked_under_a_key_is_answered_without_a_worker(store: Store) -> None:
    key = {"idempotency-key": "a-key-of-many-characters"}
    async with running(store, timings=SOON) as gateway:
        first = await gateway.client.get("/api", params=ASK, headers=key)
        await gateway.lose_worker()
        await seen_nobody(gateway)
        assert (await gateway.client.get("/api", params=ASK, headers=key)).content == first.content
        assert (await refused(gateway)).json() == NOBODY


class Workers:
    """The workers as Redis has them; None: it is away."""

    def __init__(self, *alive: str) -> None:
        self.alive: tuple[str, ...] | None = alive

    async def look(self) -> tuple[str, ...]:
        if self.alive is None:
            raise StoreUnavailableError("away")
        return self.alive


async def test_a_worker_that_left_a_moment_ago_may_be_restarting() -> None:
    workers = Workers("w")
    presence = WorkerPresence(workers.look, patience=10.0)
    await presence._look()
    workers.alive = ()
    await presence._look()
    assert not await presence.is_absent()


async def test_after_redis_was_away_workers_have_the_time_to_come_back() -> None:
    workers = Workers()
    presence = WorkerPresence(workers.look, patience=10.0)
    await presence._look()
    assert await presence.is_absent()
    workers.alive = None
    await presence._look()
    workers.alive = ()
    await presence._look()
    assert not await presence.is_absent()
