"""/v1/images/generations over real connections."""

from typing import Any

import pytest

from tests.support.gateway.harness import RunningGateway
from wire.messages import Failed, Final, Image

pytestmark = pytest.mark.anyio

PATH = "/v1/images/generations"
KEY = {"Idempotency-Key": "0123456789abcdef"}
PICTURES = tuple(f"https://e.org/{number}" for number in range(4))


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
