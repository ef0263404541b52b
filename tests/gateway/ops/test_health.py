"""Health and readiness."""

import pytest

from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from wire import keys
from wire.redis.store import Store
from wire.sessions import Sessions

pytestmark = pytest.mark.anyio


async def test_a_process_that_answers_is_healthy(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_gateway_with_redis_and_a_worker_is_ready(gateway: RunningGateway) -> None:
    await gateway.client.get("/api", params={"style": "balanced", "question": "hi"})  # the worker is there by then
    response = await gateway.client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "redis": True, "workers": 1, "draining": False, "degraded": False}
    assert response.headers["cache-control"] == "no-store"


async def test_without_a_worker_it_is_red(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        response = await gateway.client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "redis": True, "workers": 0, "draining": False, "degraded": False}


async def test_a_worker_without_an_account_is_none(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        await Sessions(store).beat("bare", takes_work=False)
        response = await gateway.client.get("/readyz")
    assert (response.status_code, response.json()["workers"]) == (503, 0)


@pytest.mark.parametrize("store_url", ["redis://127.0.0.1:1/0"])
async def test_without_redis_it_is_red_but_healthy(store: Store) -> None:
    async with running(store, worker=False) as gateway:
        response = await gateway.client.get("/readyz", timeout=2)
        healthy = await gateway.client.get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "redis": False, "workers": 0, "draining": False, "degraded": False}
    assert healthy.status_code == 200


async def test_a_gateway_whose_redis_is_nearly_full_is_degraded_and_stays_ready(store: Store) -> None:
    async with running(store, settings(store_bytes=2**24)) as gateway:
        await store.execute("HSET", keys.bytes_key(), "all", 2**24)

        async def is_degraded() -> bool:
            response = await gateway.client.get("/readyz")
            assert response.status_code == 200
            return bool(response.json()["degraded"])

        await until(is_degraded)


async def test_a_draining_gateway_is_red_while_its_turns_end(gateway: RunningGateway) -> None:
    async with gateway.active_requests.track(60):
        gateway.active_requests.drain()
        response = await gateway.client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["draining"] is True
        refused = await gateway.client.get("/api", params={"style": "balanced", "question": "hi"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    await until(lambda: gateway.active_requests._closed.is_set())
