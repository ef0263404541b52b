"""The application: its routes, and the files that its settings name."""

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from tests.support.gateway.harness import RunningGateway, settings
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


@pytest.mark.parametrize("name", ["api_keys_file", "admin_keys_file", "secret_file"])
async def test_a_file_that_is_no_good_ends_the_start_with_one_sentence(name: str, tmp_path: Path) -> None:
    store = Store("memory://")
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        create_app(settings(**{name: tmp_path / "missing"}), store, ActiveRequests())
    await store.close()
