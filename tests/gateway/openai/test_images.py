"""/v1/images/generations over real connections."""

import base64
from typing import Any

import pytest

from tests.support.gateway.harness import RunningGateway
from wire.messages import Failed, Final, Image
from wire.pictures import PictureStore, new_picture_id, picture_path
from wire.redis.long_strings import CHUNK

pytestmark = pytest.mark.anyio

PATH = "/v1/images/generations"
KEY = {"Idempotency-Key": "0123456789abcdef"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PICTURES = tuple(f"https://e.org/{number}" for number in range(4))


async def keep_picture(gateway: RunningGateway, content: bytes) -> str:
    """Return the path of a picture that is kept, as a worker writes it into the answer."""
    id_ = new_picture_id()
    await PictureStore(gateway.store).write(id_, content, 60)
    return picture_path(id_)


@pytest.mark.parametrize(("most", "shown"), [({}, 4), ({"n": 2}, 2), ({"n": 10}, 4)])
async def test_pictures_come_by_their_addresses(gateway: RunningGateway, most: dict[str, Any], shown: int) -> None:
    gateway.worker.scripts["一只猫"] = [Final("", images=PICTURES, provider="p")]
    response = await gateway.client.post(PATH, json={"prompt": "一只猫", "model": "any", **most})
    assert response.json()["data"] == [{"url": address} for address in PICTURES[:shown]]
    assert response.json()["created"] > 0
    assert (response.headers["x-provider"], response.headers["x-answer-id"][:3]) == ("p", "s0-")
    assert isinstance(gateway.worker.asked[0][1], Image)


async def test_the_same_request_again_makes_no_more_pictures(gateway: RunningGateway) -> None:
    gateway.worker.scripts["a cat"] = [Final("", images=PICTURES)]
    responses = [await gateway.client.post(PATH, json={"prompt": "a cat"}, headers=KEY) for _ in range(2)]
    assert responses[0].content == responses[1].content
    assert len(gateway.worker.asked) == 1


async def test_kept_pictures_have_absolute_addresses_here(gateway: RunningGateway) -> None:
    gateway.worker.scripts["a cat"] = [Final("", images=(await keep_picture(gateway, PNG), *PICTURES[:1]))]
    ours, elsewhere = (one["url"] for one in (await gateway.client.post(PATH, json={"prompt": "a cat"})).json()["data"])
    assert ours.startswith(f"{gateway.address}/pictures/")
    assert elsewhere == PICTURES[0]
    assert (await gateway.client.get(ours)).content == PNG


async def test_kept_pictures_come_in_base64_as_asked(gateway: RunningGateway) -> None:
    large = PNG + bytes(3 * CHUNK)
    gateway.worker.scripts["a cat"] = [
        Final("", images=(await keep_picture(gateway, PNG), await keep_picture(gateway, large)))
    ]
    response = await gateway.client.post(PATH, json={"prompt": "a cat", "response_format": "b64_json"})
    assert response.json()["data"] == [{"b64_json": base64.b64encode(one).decode()} for one in (PNG, large)]


async def test_an_address_elsewhere_is_not_fetched_for_base64(gateway: RunningGateway) -> None:
    """The error names the field, and the same key gets the address without another picture being made."""
    gateway.worker.scripts["a cat"] = [Final("", images=PICTURES[:1])]
    body = {"prompt": "a cat", "response_format": "b64_json"}
    response = await gateway.client.post(PATH, json=body, headers=KEY)
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["type"]) == (400, "response_format", "invalid_request_error")
    assert response.headers["x-should-retry"] == "false"
    again = await gateway.client.post(PATH, json=body | {"response_format": "url"}, headers=KEY)
    assert again.json()["data"] == [{"url": PICTURES[0]}]
    assert len(gateway.worker.asked) == 1


async def test_a_picture_that_is_gone_is_no_base64(gateway: RunningGateway) -> None:
    gateway.worker.scripts["a cat"] = [Final("", images=(picture_path(new_picture_id()),))]
    response = await gateway.client.post(PATH, json={"prompt": "a cat", "response_format": "b64_json"})
    assert response.status_code == 500
    assert response.headers["x-should-retry"] == "false"


async def test_another_format_is_refused_by_name(gateway: RunningGateway) -> None:
    response = await gateway.client.post(PATH, json={"prompt": "a cat", "response_format": "png"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "response_format")
    assert gateway.worker.asked == []


async def test_a_full_store_says_so(gateway: RunningGateway) -> None:
    gateway.worker.scripts["a cat"] = [Failed("image.full")]
    response = await gateway.client.post(PATH, json={"prompt": "a cat"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, "image.full")
    assert "no room" in error["message"]


async def test_a_prompt_that_was_blocked_is_the_prompts_fault(gateway: RunningGateway) -> None:
    gateway.worker.scripts["bad"] = [Failed("image.blocked")]
    response = await gateway.client.post(PATH, json={"prompt": "bad"})
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, "prompt", "content_policy_violation")
    assert response.headers["x-should-retry"] == "false"


async def test_head_and_options_ask_nothing(gateway: RunningGateway) -> None:
    assert (await gateway.client.head(PATH)).status_code == 200
    assert (await gateway.client.options(PATH)).headers["allow"] == "POST, HEAD, OPTIONS"
    assert gateway.worker.asked == []
