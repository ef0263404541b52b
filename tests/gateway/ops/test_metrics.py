"""What `/metrics` reports of real requests."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, received, running, settings
from wire import keys
from wire.errors import StoreUnavailableError
from wire.jobs import Client, Jobs, new_answer_id, new_token
from wire.messages import Chat, Delta, Failed, Final
from wire.pictures import PictureStore, new_picture_id
from wire.redis.store import Store
from wire.sessions import Sessions

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}
CLIENTS = ("bing_queue_clients", "bing_queue_client_wait_seconds", "bing_workers_free")
GAUGES = ("bing_active_answers", "bing_channels", "bing_sockets")


async def scraped(gateway: RunningGateway) -> dict[str, float]:
    """Each series with its value."""
    text = (await gateway.client.get("/metrics")).text
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in metric_lines(text))}


def metric_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


async def becomes(gateway: RunningGateway, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Return the first scrape for which `holds`: a request is counted just after its client has read it."""
    metrics: dict[str, float] = {}

    async def met() -> bool:
        nonlocal metrics
        metrics = await scraped(gateway)
        return holds(metrics)

    await until(met)
    return metrics


def requests(metrics: dict[str, float]) -> dict[tuple[str, str], float]:
    """Return the counts of requests by endpoint and status, without those of `/metrics` itself."""
    counts = {}
    for name, value in metrics.items():
        if name.startswith("bing_requests_total{"):
            _, endpoint, _, status, _ = name.split('"')
            counts[endpoint, status] = value
    counts.pop(("/metrics", "200"), None)
    return counts


def answers(metrics: dict[str, float]) -> list[float]:
    """Answers done, failed, stopped."""
    return [metrics[f'bing_answers_total{{outcome="{outcome}"}}'] for outcome in ("done", "failed", "stopped")]


async def test_it_is_in_prometheus_text_format(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    for name in ("bing_active_answers", "bing_turns"):
        assert f"# TYPE {name} gauge\n{name} 0.0\n" in response.text
    assert "# HELP bing_turns Old name of bing_active_answers, for one release.\n" in response.text


async def test_the_process_is_reported(gateway: RunningGateway) -> None:
    metrics = await scraped(gateway)
    for name in ("process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"):
        assert metrics[name] > 0


async def test_answers_are_counted_by_endpoint_and_outcome(gateway: RunningGateway) -> None:
    for path in ("/api", "/api_stream", "/api_stream"):
        await gateway.client.get(path, params=ASK)
    async with gateway.socket("/ws_stream") as socket:
        await socket.send('{"style": "balanced", "question": "hi"}')
        await received(socket)
    expected = {("/api", "200"): 1.0, ("/api_stream", "200"): 2.0, ("/ws_stream", "101"): 1.0}
    metrics = await becomes(gateway, lambda metrics: requests(metrics) == expected)
    assert answers(metrics) == [4, 0, 0]
    assert metrics["bing_first_text_seconds_count"] == 4


async def test_a_failure_and_a_stop_are_outcomes_of_their_own(gateway: RunningGateway) -> None:
    gateway.worker.scripts["fail"] = [Failed("upstream.internal")]
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        await gateway.client.get("/api", params={**ASK, "question": "fail"})
        async with gateway.client.stream("GET", "/api_stream", params={**ASK, "question": "slow"}) as response:
            chunks = response.aiter_raw()
            await anext(chunks)
            await gateway.client.delete(f"/answers/{response.headers['x-answer-id']}")
            assert b'"done": true' in b"".join([chunk async for chunk in chunks])
    expected = {("/api", "500"): 1.0, ("/api_stream", "200"): 1.0, ("/answers/{answer}", "200"): 1.0}
    metrics = await becomes(gateway, lambda metrics: requests(metrics) == expected)
    assert answers(metrics) == [0, 1, 1]


async def test_what_has_no_text_is_no_first_text(gateway: RunningGateway) -> None:
    gateway.worker.scripts["fail"] = [Failed("upstream.internal")]
    gateway.worker.scripts["cat"] = [Final("", images=("https://example.org/cat.png",))]
    await gateway.client.get("/api", params={**ASK, "question": "fail"})
    await gateway.client.get("/image", params={"keyword": "cat"})
    metrics = await scraped(gateway)
    assert answers(metrics) == [1, 1, 0]
    assert metrics["bing_first_text_seconds_count"] == 0


async def test_the_first_text_is_timed_once_however_often_an_answer_is_read(gateway: RunningGateway) -> None:
    for _ in range(2):
        response = await gateway.client.get("/api", params=ASK, headers={"idempotency-key": "k" * 16})
    await gateway.client.get(f"/answers/{response.headers['x-answer-id']}/stream")
    metrics = await scraped(gateway)
    assert answers(metrics) == [3, 0, 0]
    assert metrics["bing_first_text_seconds_count"] == 1


async def test_the_first_text_is_timed_from_asking(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [gate, Final("a")]
        answer = asyncio.create_task(gateway.client.get("/api", params={**ASK, "question": "slow"}))
        await until(lambda: bool(gateway.worker.asked))
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() - began > 0.1)
        gate.set()
        await answer
    metrics = await scraped(gateway)
    assert metrics["bing_first_text_seconds_sum"] >= 0.1
    assert metrics['bing_first_text_seconds_bucket{le="0.1"}'] == 0


async def test_refusals_are_counted_with_their_status(gateway: RunningGateway) -> None:
    await gateway.client.get("/api", params={"style": "nice", "question": "hi"})
    await gateway.client.put("/api")
    await gateway.client.get("/answers/nonsense")
    await gateway.client.get("/answers/s0-" + "0" * 32)
    expected = {("/api", "200"): 1.0, ("/api", "405"): 1.0, ("/answers/{answer}", "404"): 2.0}
    metrics = await becomes(gateway, lambda metrics: requests(metrics) == expected)
    assert answers(metrics) == [0, 0, 0]


def refusals(metrics: dict[str, float]) -> dict[str, float]:
    """Return the counts of refusals, by reason."""
    series = {name.split('"')[1]: value for name, value in metrics.items() if name.startswith("bing_refusals_total{")}
    return {reason: value for reason, value in series.items() if value}


async def test_refusals_are_counted_by_their_reason(gateway: RunningGateway) -> None:
    await gateway.client.get("/api", params={"style": "nice", "question": "hi"})
    await gateway.client.get("/api", params={"question": "hi"})
    await gateway.client.get("/image", params={"keyword": "猫"})
    await gateway.client.get("/nothing")
    await gateway.client.put("/api")
    for path in ("/ws", "/ws_stream"):
        async with gateway.socket(path) as socket:
            await socket.send("no question")
            await socket.recv()
    async with gateway.socket("/ws_stream", subprotocols=["bing-chat.v2"]) as socket:
        await socket.send('{"type": "stop", "answer": "unknown"}')
        await socket.recv()
    assert refusals(await scraped(gateway)) == {
        "request.style": 1,
        "request.empty": 1,
        "code.110": 1,
        "code.404": 1,
        "code.405": 1,
        "request.format": 2,
        "answer.unknown": 1,
    }


async def test_under_v1_a_refusal_has_a_reason_too_and_a_failed_answer_is_none(gateway: RunningGateway) -> None:
    gateway.worker.scripts["fail"] = [Failed("upstream.internal")]
    model = {"model": "bing-balanced", "messages": [{"role": "user", "content": "fail"}]}
    assert (await gateway.client.post("/v1/chat/completions", json=model)).status_code == 500
    for body in ({"model": 1}, {}):
        assert (await gateway.client.post("/v1/chat/completions", json=body)).status_code == 400
    await gateway.client.get("/v1/nothing")
    metrics = await scraped(gateway)
    assert refusals(metrics) == {"code.400": 2, "code.404": 1}
    assert answers(metrics) == [0, 1, 0]


async def test_a_stream_that_breaks_off_is_a_refusal_and_so_is_what_no_table_knows(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.answering.relay.Relay.read_end", broken)
    monkeypatch.setattr("gateway.http.sse.AnswerStream._relay", broken)
    for path in ("/api", "/api_stream"):
        await gateway.client.get(path, params=ASK)
    assert refusals(await scraped(gateway)) == {"internal": 2}


async def test_what_speaks_of_the_service_is_there_from_the_start(gateway: RunningGateway) -> None:
    metrics = await scraped(gateway)
    for reason in ("queue.full", "client.limit", "client.bytes", "client.daily", "store.full", "store.unavailable"):
        assert metrics[f'bing_refusals_total{{reason="{reason}"}}'] == 0


async def test_how_full_redis_is_shows(store: Store) -> None:
    async with running(store, settings(store_bytes=2**24)) as gateway:
        await store.execute("HSET", keys.bytes_key(), "all", 2**23)
        metrics = await becomes(gateway, lambda metrics: metrics["bing_store_used_ratio"] == 0.5)
        assert metrics["bing_store_kept_bytes"] == 2**23


async def test_what_waits_shows_and_for_how_long(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        metrics = await scraped(gateway)
        names = ("bing_redis_up", "bing_workers_alive", "bing_queue_length", "bing_queue_oldest_seconds")
        assert [metrics[name] for name in names] == [1, 0, 0, 0]
        for _ in range(2):
            await Jobs(store, GatewaySettings()).submit(
                new_answer_id(), Chat("balanced", "hi"), new_token(), create=True
            )
        await Sessions(store).beat("somebody")
        metrics = await becomes(gateway, lambda metrics: metrics["bing_queue_oldest_seconds"] > 0.05)
        assert [metrics[name] for name in names[:3]] == [1, 1, 2]
        assert metrics["bing_queue_oldest_seconds"] < 10


async def test_clients_that_wait_show_without_their_names(store: Store) -> None:
    async with running(store, worker=None) as gateway:
        assert [(await scraped(gateway))[name] for name in CLIENTS] == [0, 0, 0]
        for client in (Client("key:alice"), Client("address:192.0.2.7")):
            await Jobs(store, GatewaySettings()).submit(
                new_answer_id(), Chat("balanced", "hi"), new_token(), create=True, client=client
            )
        await Sessions(store).beat("somebody", free=5)
        metrics = await becomes(gateway, lambda metrics: metrics["bing_queue_client_wait_seconds"] > 0.05)
        assert [metrics[name] for name in CLIENTS[::2]] == [2, 5]
        text = (await gateway.client.get("/metrics")).text
        assert "alice" not in text
        assert "192.0.2.7" not in text


async def test_the_bytes_of_pictures_that_are_kept_show(gateway: RunningGateway) -> None:
    assert (await scraped(gateway))["bing_picture_bytes"] == 0
    pictures = [(new_picture_id(), bytes(10_000)), (new_picture_id(), bytes(5000))]
    await PictureStore(gateway.store).admit(pictures, "a", ttl=60, limit=20_000, share=20_000)
    assert (await scraped(gateway))["bing_picture_bytes"] == 15_000


async def test_while_redis_is_away_nothing_old_is_reported_of_it(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Store) -> None:
        raise StoreUnavailableError("away")

    assert (await scraped(gateway))["bing_workers_alive"] == 1
    monkeypatch.setattr("gateway.ops.metrics.read_queue_stats", away)
    metrics = await scraped(gateway)
    assert metrics["bing_redis_up"] == 0
    stale = {*CLIENTS, "bing_workers_alive", "bing_queue_length", "bing_queue_oldest_seconds", "bing_picture_bytes"}
    assert not stale & set(metrics)


async def test_unknown_paths_are_one_endpoint_and_never_shown(gateway: RunningGateway) -> None:
    for path in ("/secret", "/secret/2", "/api/secret"):
        await gateway.client.get(path)
    with pytest.raises(InvalidStatus):
        async with gateway.socket("/secret"):
            pass
    await becomes(gateway, lambda metrics: requests(metrics) == {("unknown", "404"): 4.0})
    assert "secret" not in (await gateway.client.get("/metrics")).text


async def test_a_preflight_asks_nothing_and_is_not_counted(gateway: RunningGateway) -> None:
    await gateway.client.options("/api", headers={"access-control-request-method": "POST", "origin": "http://x"})
    await gateway.client.get("/healthz")
    await becomes(gateway, lambda metrics: requests(metrics) == {("/healthz", "200"): 1.0})


async def test_a_client_that_left_before_an_answer_is_a_499(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [gate, Final("a")]
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /api?style=balanced&question=slow HTTP/1.1\r\nHost: g\r\n\r\n")
        await until(lambda: bool(gateway.worker.asked))
        writer.close()
        await becomes(gateway, lambda metrics: requests(metrics) == {("/api", "499"): 1.0})


async def test_an_error_that_no_table_knows_is_counted(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.answering.relay.Relay.read_end", broken)
    await gateway.client.get("/api", params=ASK)
    await becomes(gateway, lambda metrics: requests(metrics) == {("/api", "500"): 1.0})


async def test_gauges_show_what_is_open_and_return_to_zero(gateway: RunningGateway) -> None:
    await gateway.client.get("/api", params=ASK)  # all that runs in any case does by then
    before = await scraped(gateway)
    assert [before[name] for name in GAUGES] == [0, 0, 0]
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with gateway.socket("/ws_stream") as busy, gateway.socket("/ws"):
            await busy.send('{"style": "balanced", "question": "slow"}')
            await busy.recv()
            during = await scraped(gateway)
            assert [during[name] for name in GAUGES] == [1, 1, 2]
            assert during["bing_asyncio_tasks"] > before["bing_asyncio_tasks"]
            gate.set()
            await received(busy)
    at_rest = (*GAUGES, "bing_asyncio_tasks")
    await becomes(gateway, lambda after: [after[name] for name in at_rest] == [before[name] for name in at_rest])


@pytest.mark.parametrize("path", ["/api", "/api_stream", "/ws_stream"])
async def test_a_cut_connection_leaves_nothing(gateway: RunningGateway, path: str) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        if path == "/ws_stream":
            socket = await gateway.socket(path)
            await socket.send('{"style": "balanced", "question": "slow"}')
            cut = socket.transport.abort
        else:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(f"GET {path}?style=balanced&question=slow HTTP/1.1\r\nHost: g\r\n\r\n".encode())
            cut = writer.transport.abort
        await becomes(
            gateway,
            lambda metrics: metrics["bing_active_answers"] == metrics["bing_turns"] == metrics["bing_channels"] == 1,
        )
        cut()
        await becomes(gateway, lambda metrics: [metrics[name] for name in GAUGES] == [0, 0, 0])


async def test_a_drain_shows(gateway: RunningGateway) -> None:
    assert (await scraped(gateway))["bing_draining"] == 0
    async with gateway.active_requests.track(60):
        gateway.active_requests.drain()
        metrics = await scraped(gateway)
    assert (metrics["bing_draining"], metrics["bing_turns"]) == (1, 1)


async def test_nobody_needs_an_api_key_for_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"alice {hashlib.sha256(b'key').hexdigest()}\n")
    async with running(store, settings(api_keys_file=tmp_path / "keys")) as gateway:
        assert (await gateway.client.get("/api", params=ASK)).status_code == 401
        await becomes(gateway, lambda metrics: requests(metrics) == {("/api", "401"): 1.0})


async def test_applications_of_one_process_count_apart(gateway: RunningGateway) -> None:
    async with running(gateway.store, worker=False) as other:
        await gateway.client.get("/api", params=ASK)
        await becomes(gateway, lambda metrics: requests(metrics) == {("/api", "200"): 1.0})
        metrics = await scraped(other)
        assert requests(metrics) == {}
        assert answers(metrics) == [0, 0, 0]
