import base64

import httpx
import pytest

from emulator.openai import outcomes
from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator.openai_client import OpenaiClient, OpenaiReply

pytestmark = pytest.mark.anyio

STATUS = {
    "success": 200,
    "one": 200,
    "none": 200,
    "base64": 200,
    "slow-post": 200,
    "blocked": 400,
    "unsafe": 400,
    "busy": 503,
    "too-many": 429,
    "quota": 429,
    "sign-in": 401,
    "forbidden": 403,
    "http-404": 404,
    "http-500": 500,
    "html": 200,
}


async def draw(asker: OpenaiClient, prompt: str, **more: object) -> OpenaiReply:
    return await asker.send({"prompt": prompt, **more}, "images/generations")


async def test_pictures_are_served_by_the_stand_in_itself(asker: OpenaiClient, upstream: Emulator) -> None:
    reply = await draw(asker, "a cat", n=2, model="stand-in-pictures", size="1024x1024")
    urls = [image["url"] for image in reply.json["data"]]
    assert len(set(urls)) == 2
    assert all(url.startswith(upstream.url) for url in urls)
    picture = await asker.http.get(urls[0])
    assert picture.headers["content-type"].startswith("image/svg+xml")
    entry = (await asker.ledger())["images"][0]
    assert (entry["api"], entry["account"], entry["prompt"], entry["outcome"]) == ("openai", "k1", "a cat", "success")


async def test_a_picture_can_come_in_the_answer(asker: OpenaiClient) -> None:
    reply = await draw(asker, "a cat", response_format="b64_json")
    assert base64.b64decode(reply.json["data"][0]["b64_json"]).startswith(b"<svg")


async def test_a_server_may_have_no_addresses_at_all(asker: OpenaiClient) -> None:
    pictures = (await draw(asker, "a cat !base64", n=2)).json["data"]
    assert [base64.b64decode(one["b64_json"])[:8] for one in pictures] == [b"\x89PNG\r\n\x1a\n"] * 2
    assert not any("url" in one for one in pictures)


def test_every_outcome_is_tested_here() -> None:
    assert set(outcomes.IMAGE) == {*STATUS, "pending", "reset"}


@pytest.mark.parametrize("name", STATUS)
async def test_how_a_request_goes(asker: OpenaiClient, upstream: Emulator, name: str) -> None:
    reply = await draw(asker, f"a cat !{name}" + ("=0.01" if name == "slow-post" else ""), n=3)
    assert reply.status == STATUS[name]
    assert ("retry-after" in reply.headers) == (name == "too-many")
    if reply.status == 200 and name != "html":
        assert len(reply.json["data"]) == {"one": 1, "none": 0}.get(name, 3)
    assert upstream.ledger.images[0].outcome == upstream.ledger.images[0].scripted == name


async def test_an_outcome_can_be_scripted_for_the_key(asker: OpenaiClient) -> None:
    await asker.script(account="k1", image={"outcome": "busy=7"})
    busy = await draw(asker, "a cat")
    assert (busy.status, busy.headers["retry-after"]) == (503, "7")
    assert (await draw(asker, "a cat")).status == 200


async def test_a_reset_ends_the_connection(asker: OpenaiClient) -> None:
    assert (await draw(asker, "a cat !reset")).broken in (httpx.ReadError, httpx.RemoteProtocolError)


async def test_a_client_that_leaves_is_noticed(asker: OpenaiClient, upstream: Emulator) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await asker.http.post("images/generations", json={"prompt": "a cat !pending"}, timeout=0.1)
    await until(lambda: upstream.ledger.images[0].outcome == "client gone")


@pytest.mark.parametrize(
    ("order", "status", "param"),
    [
        ({}, 400, "prompt"),
        ({"prompt": 7}, 400, "prompt"),
        ({"prompt": "x", "n": 0}, 400, "n"),
        ({"prompt": "x", "n": True}, 400, "n"),
        ({"prompt": "x", "n": 11}, 400, "n"),
        ({"prompt": "x", "response_format": "png"}, 400, "response_format"),
        ({"prompt": "x", "model": "other"}, 404, None),
    ],
)
async def test_a_wrong_order_is_refused(asker: OpenaiClient, order: dict[str, object], status: int, param: str) -> None:
    reply = await asker.send(order, "images/generations")
    assert (reply.status, reply.json["error"]["param"]) == (status, param)
