import json

import pytest

from tests.support.emulator.anthropic_client import AnthropicClient, text_of

pytestmark = pytest.mark.anyio


async def test_the_middle_can_be_chosen(asker: AnthropicClient) -> None:
    reply = await asker.ask("tell me !no-finish !at=7", stream=True)
    assert reply.names.count("content_block_delta") == 7


async def test_a_broken_event_takes_a_piece_of_the_text_with_it(asker: AnthropicClient) -> None:
    plain, broken = await asker.ask("tell me", stream=True), await asker.ask("tell me !bad-json", stream=True)
    assert len(text_of(broken)) < len(text_of(plain))
    whole = await asker.ask("tell me !bad-json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(whole.content)


async def test_half_an_answer_is_a_message_where_no_stream_is_asked_for(asker: AnthropicClient) -> None:
    reply = await asker.ask("tell me !length")
    assert reply.json["stop_reason"] == "max_tokens"
    assert reply.json["content"][0]["text"]
