import pytest

from emulator.openai.models import MODELS
from tests.support.emulator.openai_client import OpenaiClient

pytestmark = pytest.mark.anyio


async def test_the_models_are_listed(asker: OpenaiClient) -> None:
    listed = (await asker.http.get("models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == list(MODELS)
    assert all(list(model) == ["id", "object", "created", "owned_by"] for model in listed["data"])


async def test_one_model_is_shown(asker: OpenaiClient) -> None:
    assert (await asker.http.get("models/stand-in")).json()["id"] == "stand-in"


async def test_an_unknown_model_is_not_found(asker: OpenaiClient) -> None:
    response = await asker.http.get("models/some/other")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(("method", "path"), [("GET", "nothing"), ("GET", "chat/completions"), ("POST", "models")])
async def test_anything_else_is_unknown_in_the_same_shape(asker: OpenaiClient, method: str, path: str) -> None:
    response = await asker.http.request(method, path)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_url"
    assert list(response.json()["error"]) == ["message", "type", "param", "code"]
