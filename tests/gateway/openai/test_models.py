"""/v1/models over real connections."""

import hashlib
from pathlib import Path

import pytest

from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def test_there_is_a_model_for_each_style(gateway: RunningGateway) -> None:
    listed = (await gateway.client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["bing-balanced", "bing-creative", "bing-precise"]
    for model in listed["data"]:
        assert list(model) == ["id", "object", "created", "owned_by"]
        assert (await gateway.client.get(f"/v1/models/{model['id']}")).json() == model


async def test_models_of_servers_and_aliases_are_listed_without_their_accounts(gateway: RunningGateway) -> None:
    await gateway.announce("secret", "org/qwen:7b", aliases={"smart": ("org/qwen:7b",)})
    response = await gateway.client.get("/v1/models")
    assert [(model["id"], model["owned_by"]) for model in response.json()["data"][3:]] == [
        ("org/qwen:7b", "openai"),
        ("smart", "server"),
    ]
    assert "secret" not in response.text


@pytest.mark.parametrize("path", ["org/qwen:7b", "org%2Fqwen:7b", "qwen:7b", "openai/org/qwen:7b", "smart"])
async def test_a_name_may_have_slashes_and_comes_back_as_it_was_asked_for(gateway: RunningGateway, path: str) -> None:
    await gateway.announce("secret", "org/qwen:7b", aliases={"smart": ("org/qwen:7b",)})
    response = await gateway.client.get(f"/v1/models/{path}")
    assert response.status_code == 200
    assert response.json()["id"] == path.replace("%2F", "/")


async def test_another_model_is_not_found_and_the_nearest_are_named(gateway: RunningGateway) -> None:
    await gateway.announce("secret", "gpt-4o")
    response = await gateway.client.get("/v1/models/gpt-4")
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"], error["type"]) == ("model_not_found", "model", "invalid_request_error")
    assert "gpt-4o" in error["message"]
    unlike = (await gateway.client.get("/v1/models/zzzzzzzz")).json()["error"]["message"]
    assert unlike.endswith("or you do not have access to it; /v1/models lists those that exist.")


async def test_a_model_that_is_away_says_when_to_come_back(gateway: RunningGateway) -> None:
    await gateway.announce("gone", "away")
    await gateway.lose_account("gone")
    response = await gateway.client.get("/v1/models/away")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["error"]["code"] == "model.away"
    assert "away" not in (await gateway.client.get("/v1/models")).text


async def test_a_key_sees_only_its_models(store: Store, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"alice {hashlib.sha256(b'alice').hexdigest()} models=gpt-*,bing-c*\n")
    async with running(store, settings(api_keys_file=tmp_path / "keys")) as gateway:
        await gateway.announce("secret", "gpt-4o", "other")
        headers = {"authorization": "Bearer alice"}
        listed = (await gateway.client.get("/v1/models", headers=headers)).json()
        assert [model["id"] for model in listed["data"]] == ["bing-creative", "gpt-4o"]
        assert (await gateway.client.get("/v1/models/other", headers=headers)).status_code == 404


async def test_head_and_options_are_answered(gateway: RunningGateway) -> None:
    for path in ("/v1/models", "/v1/models/bing-precise"):
        assert (await gateway.client.head(path)).status_code == 200
        assert (await gateway.client.options(path)).headers["allow"] == "GET, HEAD, OPTIONS"
