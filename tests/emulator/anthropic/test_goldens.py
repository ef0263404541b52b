"""A stream of all blocks, held against goldens/NAME.json: the fields and the order are the documented ones."""

from pathlib import Path

import pytest

from tests.support.emulator import goldens
from tests.support.emulator.anthropic_client import WEATHER, AnthropicClient

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "goldens"
BLOCKS = [
    {"kind": "reasoning", "text": "Hm, weather."},
    {"kind": "reasoning", "extra": {"data": "c2VjcmV0"}},
    {"kind": "text", "text": "Let me see."},
    {"kind": "tool_call", "name": "get_weather", "text": '{"city":"Paris"}'},
]


async def test_a_stream_is_like_the_real_servers(asker: AnthropicClient) -> None:
    await asker.script(account="k1", answers=[{"blocks": BLOCKS, "sizes": 8}])
    reply = await asker.ask("hello", stream=True, tools=[WEATHER])
    expected = goldens.load(FOLDER / "stream.json")
    assert goldens.matching(reply.events, expected) == expected
    assert reply.names == [event["type"] for event in expected]


async def test_a_whole_message_is_like_the_real_servers(asker: AnthropicClient) -> None:
    await asker.script(account="k1", answers=[{"blocks": BLOCKS, "sizes": 8}])
    reply = await asker.ask("hello", tools=[WEATHER])
    expected = goldens.load(FOLDER / "whole.json")
    assert goldens.matching(reply.json, expected) == expected
