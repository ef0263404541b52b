"""The application: its routes, and the files that its settings name."""

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def test_every_api_has_its_routes(gateway: RunningGateway) -> None:
    for path in ("/", "/docs", "/openapi.json", "/asyncapi.json", "/metrics", "/healthz", "/readyz", "/v1/models"):
        assert (await gateway.client.get(path)).status_code == 200, path


async def test_another_path_is_an_error_in_json(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/nowhere")
    assert (response.status_code, response.json()["code"]) == (404, 404)


async def test_a_socket_to_another_path_is_refused(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket("/nowhere"):
            pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("front", ["", "/v1/v1", "//v1/"])
async def test_a_response_is_found_without_v1_and_with_two(gateway: RunningGateway, front: str) -> None:
    created = await gateway.client.post("/v1/responses", json={"model": "bing-balanced", "input": "hi"})
    response = (await gateway.client.get(f"{gateway.address}{front}/responses/{created.json()['id']}/")).json()
    assert response["status"] == "completed"


async def test_a_sockets_path_may_end_in_a_slash(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws/") as socket:
        await socket.send('{"style": "balanced", "question": "hi"}')
        assert '"code": 200' in str(await socket.recv())


async def test_a_socket_to_the_openai_api_is_refused_in_its_shape(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket("/v1/realtime"):
            pass
    assert b"unknown_url" in refused.value.response.body


async def test_a_question_of_just_64_kib_in_the_address_is_asked(store: Store) -> None:
    target = "/api?style=balanced&question="
    async with running(store, settings(question_limit=65536)) as gateway:
        assert b'{"code": 200' in await gateway.get(target + "x" * (65535 - len(target)))
        assert b'{"code": 414' in await gateway.get(target + "x" * (65536 - len(target)))


@pytest.mark.parametrize("name", ["api_keys_file", "admin_keys_file", "secret_file"])
async def test_a_file_that_is_no_good_ends_the_start_with_one_sentence(name: str, tmp_path: Path) -> None:
    store = Store("memory://")
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        create_app(settings(**{name: tmp_path / "missing"}), store, ActiveRequests())
    await store.close()
