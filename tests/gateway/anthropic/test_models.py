"""Models in the shape of the Anthropic API."""

from collections.abc import Mapping

import pytest

from tests.support.gateway.harness import RunningGateway

pytestmark = pytest.mark.anyio
VERSION = {"anthropic-version": "2023-06-01"}
STYLES = ["bing-balanced", "bing-creative", "bing-precise"]


async def test_a_request_with_a_version_gets_models_of_that_api(gateway: RunningGateway) -> None:
    page = (await gateway.client.get("/v1/models", headers=VERSION)).json()
    assert [model["id"] for model in page["data"]] == STYLES
    assert page["data"][0] == {
        "type": "model",
        "id": "bing-balanced",
        "display_name": "bing-balanced",
        "created_at": "2023-03-02T00:00:00Z",
    }
    assert (page["has_more"], page["first_id"], page["last_id"]) == (False, STYLES[0], STYLES[-1])
    one = await gateway.client.get("/models/bing-precise", headers=VERSION)
    assert (one.json()["type"], one.json()["id"]) == ("model", "bing-precise")
    assert "request-id" in one.headers


async def test_without_a_version_the_models_are_those_of_the_openai_api(gateway: RunningGateway) -> None:
    assert (await gateway.client.get("/v1/models")).json()["object"] == "list"
    assert (await gateway.client.get("/v1/models/bing-precise")).json()["object"] == "model"


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        ({"limit": "2"}, STYLES[:2], True),
        ({"limit": "2", "after_id": STYLES[1]}, STYLES[2:], False),
        ({"limit": "1", "after_id": STYLES[0]}, STYLES[1:2], True),
        ({"limit": "1", "before_id": STYLES[2]}, STYLES[1:2], True),
        ({"before_id": STYLES[2]}, STYLES[:2], False),
        ({"before_id": STYLES[0]}, [], False),
    ],
)
async def test_the_list_comes_in_pages(
    gateway: RunningGateway, query: Mapping[str, str], names: list[str], more: bool
) -> None:
    page = (await gateway.client.get("/v1/models", headers=VERSION, params=query)).json()
    assert ([model["id"] for model in page["data"]], page["has_more"]) == (names, more)
    assert (page["first_id"], page["last_id"]) == ((names[0], names[-1]) if names else (None, None))


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after_id": "nope"}])
async def test_a_page_that_there_is_not_is_refused(gateway: RunningGateway, query: Mapping[str, str]) -> None:
    response = await gateway.client.get("/v1/models", headers=VERSION, params=query)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert next(iter(query)) in response.json()["error"]["message"]


async def test_an_unknown_model_is_an_error_of_that_api(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/v1/models/gpt", headers=VERSION)
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")
