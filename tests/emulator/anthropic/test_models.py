import pytest

from emulator.server import Emulator
from tests.support.emulator.anthropic_client import AnthropicClient, connect

pytestmark = pytest.mark.anyio


async def test_the_models_are_listed_in_this_apis_shape(asker: AnthropicClient) -> None:
    listed = (await asker.http.get("models")).json()
    assert listed["has_more"] is False
    assert (listed["first_id"], listed["last_id"]) == ("stand-in", "stand-in-mini")
    assert [model["type"] for model in listed["data"]] == ["model", "model"]
    assert (await asker.http.get("models/stand-in")).json() == listed["data"][0]


async def test_a_page_at_a_time(asker: AnthropicClient) -> None:
    first = (await asker.http.get("models", params={"limit": 1})).json()
    assert (first["has_more"], first["last_id"]) == (True, "stand-in")
    second = (await asker.http.get("models", params={"limit": 1, "after_id": "stand-in"})).json()
    assert (second["has_more"], [one["id"] for one in second["data"]]) == (False, ["stand-in-mini"])
    before = (await asker.http.get("models", params={"before_id": "stand-in-mini"})).json()
    assert [one["id"] for one in before["data"]] == ["stand-in"]
    nothing = (await asker.http.get("models", params={"after_id": "stand-in-mini"})).json()
    assert nothing == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    wrong = await asker.http.get("models", params={"limit": 0})
    assert (wrong.status_code, wrong.json()["type"]) == (400, "error")


async def test_an_unknown_model_is_404(asker: AnthropicClient) -> None:
    reply = await asker.http.get("models/nope")
    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "not_found_error")


async def test_without_a_version_the_other_shape_is_served(upstream: Emulator) -> None:
    async with connect(upstream.openai_url) as http:
        del http.headers["anthropic-version"]
        assert (await http.get("models")).json()["object"] == "list"


async def test_a_dead_key_sees_no_models(asker: AnthropicClient) -> None:
    await asker.script(account="k1", dead=True)
    assert (await asker.http.get("models")).status_code == 401
    assert (await asker.http.get("models/stand-in")).status_code == 401
