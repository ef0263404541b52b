import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.emulator.openai_client import OpenaiClient, OpenaiReply, connect

pytestmark = pytest.mark.anyio


async def everything(asker: OpenaiClient) -> list[int]:
    """Return the status of one request of each kind."""
    listed = await asker.http.get("models")
    shown = await asker.http.get("models/stand-in")
    drawn = await asker.send({"prompt": "a cat"}, "images/generations")
    return [(await asker.ask("hello")).status, drawn.status, listed.status_code, shown.status_code]


async def test_each_key_is_an_account(asker: OpenaiClient, upstream: Emulator) -> None:
    async with connect(upstream.openai_url, None) as http:
        await asker.ask("hello")
        await OpenaiClient(http).ask("hello")
        await OpenaiClient(http).send(
            {"model": "stand-in", "messages": [{"role": "user", "content": "x"}]}, **{"api-key": "k2"}
        )
    assert [turn.account for turn in upstream.ledger.turns] == ["k1", "anonymous", "k2"]


async def test_a_dead_key_gets_nothing_until_it_lives_again(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.script(account="k1", dead=True)
    assert await everything(asker) == [401] * 4
    refused = await asker.ask("hello")
    assert refused.json["error"]["code"] == "invalid_api_key"
    assert "k1" not in refused.body
    assert {(turn.outcome, turn.length) for turn in upstream.ledger.turns} == {("UnauthorizedRequest", 0)}
    assert upstream.ledger.images[0].outcome == "sign-in"
    await asker.script(account="k1", dead=False)
    assert await everything(asker) == [200] * 4


async def test_a_dead_key_is_refused_before_its_body_is_judged(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.script(account="k1", dead=True)
    assert (await asker.send(b"{")).status == 401
    assert not upstream.ledger.turns


async def test_a_dead_key_uses_no_script_up(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.script(account="k1", dead=True, chat={"outcome": "throttled"})
    await asker.ask("hello")
    await asker.script(account="k1", dead=False)
    assert (await asker.ask("hello")).status == 429


async def test_a_key_may_be_needed() -> None:
    async with Emulator(EmulatorSettings(port=0, pace=0, key_needed=True)) as upstream:
        async with connect(upstream.openai_url, None) as http:
            reply: OpenaiReply = await OpenaiClient(http).ask("hello")
            assert await everything(OpenaiClient(http)) == [401] * 4
        async with connect(upstream.openai_url) as http:
            assert await everything(OpenaiClient(http)) == [200] * 4
    assert reply.json["error"]["code"] is None
