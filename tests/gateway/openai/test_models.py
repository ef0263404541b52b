"""/v1/models over real connections."""

import pytest

from tests.support.gateway.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_there_is_a_model_for_each_style(gateway: RunningGateway) -> None:
    listed = (await gateway.client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["bing-balanced", "bing-creative", "bing-precise"]
    for model in listed["data"]:
        assert list(model) == ["id", "object", "created", "owned_by"]
        assert (await gateway.client.get(f"/v1/models/{model['id']}")).json() == model


async def test_another_model_is_not_found(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/v1/models/gpt-4o")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_head_and_options_are_answered(gateway: RunningGateway) -> None:
    for path in ("/v1/models", "/v1/models/bing-precise"):
        assert (await gateway.client.head(path)).status_code == 200
        assert (await gateway.client.options(path)).headers["allow"] == "GET, HEAD, OPTIONS"
