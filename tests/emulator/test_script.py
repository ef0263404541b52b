import json

import aiohttp
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.emulator.bing_client import BingClient

pytestmark = pytest.mark.anyio


async def value(client: BingClient, text: str = "hello") -> str:
    result: str = (await client.ask(await client.create(), text)).item["result"]["value"]
    return result


async def test_an_outcome_lasts_as_often_as_ordered(client: BingClient) -> None:
    await client.script(account="a1", chat={"outcome": "throttled", "times": 2})
    assert [await value(client) for _ in range(3)] == ["Throttled", "Throttled", "Success"]


async def test_an_outcome_for_all_lasts_until_it_is_ended(client: BingClient) -> None:
    await client.script(account="a1", chat={"outcome": "internal=2", "times": None})
    assert [await value(client) for _ in range(3)] == ["InternalError"] * 3
    await client.script(account="a1", chat={"outcome": None})
    assert await value(client) == "Success"


async def test_an_accounts_own_script_comes_before_the_one_for_everyone(
    client: BingClient, stranger: BingClient
) -> None:
    await client.script(account="*", chat={"outcome": "captcha", "times": None})
    await client.script(account="a1", chat={"outcome": "throttled"})
    assert await value(client) == "Throttled"
    assert await value(client) == "CaptchaChallenge"
    assert await value(stranger) == "CaptchaChallenge"


async def test_a_script_of_options_shapes_an_ordinary_answer(client: BingClient, upstream: Emulator) -> None:
    await client.script(account="a1", chat={"outcome": "deltas=7 rate=1000 stamp"})
    reply = await client.ask(await client.create(), "hello")
    assert upstream.ledger.turns[0].deltas == 7
    assert reply.texts[-1].count(" t=") == 7


async def test_the_quota_used_can_be_set(session: aiohttp.ClientSession) -> None:
    async with Emulator(EmulatorSettings(port=0, pace=0, daily_quota=6)) as upstream:
        client = BingClient(session, upstream.url, "a1")
        await client.script(account="a1", quota_used=5)
        assert [await value(client) for _ in range(2)] == ["Success", "Throttled"]
        await client.script(clock={"advance": 86_400})
        assert await value(client) == "Success"


async def test_a_reset_forgets_everything(client: BingClient, upstream: Emulator) -> None:
    conversation = await client.create()
    await client.script(account="a1", captcha=True)
    await client.script(clock={"advance": 1e6})
    await client.script(reset=True)
    assert await client.ledger() == {"creates": [], "turns": [], "images": []}
    assert (await client.ask(conversation, "hello")).item["result"]["value"] == "InvalidSession"
    assert await value(client) == "Success"


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ('{"acount": "a1"}', "acount"),
        ('{"chat": {"outcome": "throttled"}}', "account is missing"),
        ('{"captcha": true}', "account is missing"),
        ('{"account": "a1", "chat": {"outcome": "nonsense"}}', "there is no outcome 'nonsense'"),
        ('{"account": "a1", "create": {"outcome": "throttled"}}', "there is no outcome 'throttled'"),
        ('{"account": "a1", "chat": {"outcome": " "}}', "an outcome is empty"),
        ('{"account": "a1", "chat": {"outcome": "throttled", "times": 0}}', "chat.times"),
        ('{"account": "a1", "chat": {}}', "chat.outcome"),
        ('{"account": "a1", "quota_used": -1}', "quota_used"),
        ('{"clock": {"advance": -1}}', "clock.advance"),
    ],
)
async def test_bad_orders_get_one_clear_error(client: BingClient, order: str, error: str) -> None:
    async with client.session.post(f"{client.url}/_script", data=order) as response:
        assert response.status == 400
        message = json.loads(await response.text())["error"]
    assert error in message
    assert "\n" not in message
