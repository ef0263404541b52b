"""What is special about each turn that is refused, as a plain client sees it."""

import pytest

from tests.support.emulator.bing_client import BingClient

pytestmark = pytest.mark.anyio


async def test_internal_errors_have_five_messages(client: BingClient) -> None:
    conversation = await client.create()
    messages = set()
    for number in range(1, 6):
        messages.add(
            (await client.ask(conversation, f"hello !internal={number}", 2 + number)).item["result"]["message"]
        )
    assert len(messages) == 5


async def test_a_refusal_repeats_its_message_as_an_error(client: BingClient) -> None:
    item = (await client.ask(await client.create(), "hello !forbidden")).item
    assert item["result"]["error"] == item["result"]["message"] != ""
    assert "messages" not in item


async def test_an_invalid_session_names_the_conversation_and_no_error(client: BingClient) -> None:
    conversation = await client.create()
    result = (await client.ask(conversation, "hello !invalid-session")).item["result"]
    assert conversation["conversationId"] in result["message"]
    assert "error" not in result


@pytest.mark.parametrize(("name", "least"), [("internal-after-text", 11), ("throttled-after-text", 5)])
async def test_a_turn_can_be_refused_after_its_text(client: BingClient, name: str, least: int) -> None:
    reply = await client.ask(await client.create(), f"hello !{name}")
    assert len(reply.texts) >= least
    assert "messages" not in reply.item
