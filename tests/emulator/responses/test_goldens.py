"""A stream of all blocks, held against goldens/NAME.json: the fields and the order are the documented ones."""

from pathlib import Path

import pytest

from tests.support.emulator import goldens
from tests.support.emulator.responses_client import ADD, NOTE, ResponsesClient

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "goldens"
BLOCKS = [
    {"kind": "reasoning", "text": "Hm."},
    {"kind": "text", "text": "Let me see."},
    {"kind": "tool_call", "name": "add", "text": '{"a":1}'},
    {"kind": "tool_call", "name": "note", "text": "one two", "custom": True},
]
THINK = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}


async def test_a_stream_is_like_the_real_servers(asker: ResponsesClient) -> None:
    await asker.script(account="k1", answers=[{"blocks": BLOCKS, "sizes": 8}])
    reply = await asker.ask("hello", stream=True, tools=[ADD, NOTE], **THINK)
    expected = goldens.load(FOLDER / "stream.json")
    assert goldens.matching(reply.events, expected) == expected
    assert reply.names == [event["type"] for event in expected]
