import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.emulator.anthropic_client import AnthropicClient, connect

pytestmark = pytest.mark.anyio

BODY = {"model": "stand-in", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


async def test_the_account_is_the_key_in_either_header(asker: AnthropicClient, upstream: Emulator) -> None:
    await asker.send(BODY)
    async with connect(upstream.openai_url, None) as http:
        await AnthropicClient(http).send(BODY, authorization="Bearer k2")
        await AnthropicClient(http).send(BODY)
    assert [turn.account for turn in upstream.ledger.turns] == ["k1", "k2", "anonymous"]


async def test_a_key_may_be_needed() -> None:
    async with Emulator(EmulatorSettings(port=0, pace=0, key_needed=True)) as emulator:
        async with connect(emulator.openai_url, None) as http:
            reply = await AnthropicClient(http).send(BODY)
        assert (reply.status, reply.error["message"]) == (401, "x-api-key header is required")
        assert emulator.ledger.turns[0].outcome == "UnauthorizedRequest"
