import json
from collections.abc import AsyncIterator

import aiohttp
import httpx
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.emulator.bing_client import BingClient
from tests.support.emulator.openai_client import OpenaiClient, connect

pytestmark = pytest.mark.anyio


@pytest.fixture
async def asker(upstream: Emulator) -> AsyncIterator[OpenaiClient]:
    async with connect(upstream.openai_url) as http:
        yield OpenaiClient(http)


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
    assert await client.ledger() == {"creates": [], "turns": [], "images": [], "calls": []}
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
        ('{"answers": []}', "account is missing"),
        ('{"account": "a1", "answers": [{"blocks": [{"kind": "poem"}]}]}', "answers.0.blocks.0.kind"),
        ('{"account": "a1", "answers": [{"blocks": [{"kind": "text", "txt": "a"}]}]}', "txt"),
        ('{"account": "a1", "answers": [{"blocks": [], "sizes": 0}]}', "answers.0.sizes"),
        ('{"account": "a1", "answers": [{"blocks": [], "server": "acme"}]}', "there is no server 'acme'"),
    ],
)
async def test_bad_orders_get_one_clear_error(client: BingClient, order: str, error: str) -> None:
    async with client.session.post(f"{client.url}/_script", data=order) as response:
        assert response.status == 400
        message = json.loads(await response.text())["error"]
    assert error in message
    assert "\n" not in message


def call_block(name: str) -> dict[str, object]:
    return {"kind": "tool_call", "name": name, "text": '{"a":1}', "id": "c1", "extra": {"x": 1}}


async def scripted(asker: OpenaiClient, *answers: dict[str, object], account: str = "k1") -> None:
    await asker.script(account=account, answers=list(answers))


async def test_answers_are_scripted_block_by_block(asker: OpenaiClient) -> None:
    thought = {"kind": "reasoning", "text": "so"}
    opaque = {"kind": "opaque", "extra": {"sealed": "s"}}
    await scripted(
        asker, {"blocks": [thought, call_block("f"), opaque]}, {"blocks": [{"kind": "text", "text": "Done."}]}
    )
    message = (await asker.ask("hi", stream=False)).message
    assert (message["reasoning_content"], message["sealed"]) == ("so", "s")
    assert message["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}, "x": 1}
    ]
    assert (await asker.ask("hi")).text == "Done."
    assert "stand-in for Bing" in (await asker.ask("hi")).text


async def test_a_scripted_answer_has_its_sizes_reason_usage_and_fields(asker: OpenaiClient) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    answer = {"sizes": [1, 3], "finish_reason": "length", "usage": usage, "extra": {"citations": []}}
    await scripted(asker, {"blocks": [{"kind": "text", "text": "abcdefgh"}], **answer}, account="*")
    reply = await asker.ask("hi", stream_options={"include_usage": True})
    assert (reply.pieces, reply.reasons) == (["a", "bcd", "efg", "h"], ["length"])
    assert reply.events[-1]["usage"] == usage
    assert all(event["citations"] == [] for event in reply.events)


async def test_a_scripted_answer_is_written_by_its_server_and_fails_as_its_outcome(asker: OpenaiClient) -> None:
    await scripted(asker, {"blocks": [call_block("f")], "server": "ollama-old"}, {"blocks": [call_block("f")]})
    message = (await asker.ask("hi", stream=False)).message
    assert message["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    reply = await asker.ask("hi !close-mid !at=1")
    assert (len(reply.choices), reply.broken) == (2, httpx.RemoteProtocolError)


async def test_an_empty_list_ends_the_scripted_answers(asker: OpenaiClient) -> None:
    await scripted(asker, {"blocks": []}, {"blocks": []})
    await scripted(asker)
    assert (await asker.ask("hi")).text
