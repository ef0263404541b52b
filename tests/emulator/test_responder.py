import pytest

from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator import anthropic_client, openai_client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["messages", "chat/completions"])
async def test_every_api_lists_what_was_sent_before_a_drop(upstream: Emulator, path: str) -> None:
    async with anthropic_client.connect(upstream.openai_url) as http:
        body = {"model": "stand-in", "max_tokens": 999, "stream": True}
        messages = [{"role": "user", "content": "tell me !close-mid"}]
        reply = await anthropic_client.AnthropicClient(http).send({**body, "messages": messages}, path)
    (turn,) = upstream.ledger.turns
    assert reply.broken is not None
    assert (turn.outcome, turn.length) == ("closed", len(turn.text))
    assert turn.deltas > 10


async def test_a_silence_lasts_until_the_client_leaves(upstream: Emulator) -> None:
    async with openai_client.connect(upstream.openai_url) as http:
        http.timeout = 0.3
        await openai_client.OpenaiClient(http).ask("tell me !silence")
    await until(lambda: upstream.ledger.turns[0].outcome == "client gone")
