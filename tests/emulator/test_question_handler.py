import pytest

from emulator import question_handler
from emulator.openai.message_history import CompletionMessage, MessageHistory
from emulator.server import Emulator
from tests.support.emulator.anthropic_client import AnthropicClient, connect

pytestmark = pytest.mark.anyio

PATHS = ["messages", "chat/completions"]


def body(*messages: dict[str, str]) -> dict[str, object]:
    return {"model": "stand-in", "max_tokens": 999, "messages": list(messages)}


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_is_wrong_is_not_listed(upstream: Emulator, path: str) -> None:
    async with connect(upstream.openai_url) as http:
        reply = await AnthropicClient(http).send({"model": "stand-in"}, path)
    assert reply.status == 400
    assert not upstream.ledger.turns


@pytest.mark.parametrize("path", PATHS)
async def test_a_conversation_is_known_again(upstream: Emulator, path: str) -> None:
    async with connect(upstream.openai_url) as http:
        client = AnthropicClient(http)
        first = {"role": "user", "content": "cats"}
        await client.send(body(first), path)
        await client.send(body(first, {"role": "assistant", "content": "a"}, {"role": "user", "content": "dogs"}), path)
    one, two = upstream.ledger.turns
    assert one.conversation == two.conversation
    assert (two.question, two.invocation, two.start_of_session) == ("dogs", "2", False)
    assert "“cats”" in two.text


@pytest.mark.parametrize("path", PATHS)
async def test_a_script_prevails_over_the_question(upstream: Emulator, path: str) -> None:
    upstream.run_script(b'{"account": "*", "chat": {"outcome": "internal"}}')
    async with connect(upstream.openai_url) as http:
        reply = await AnthropicClient(http).send(body({"role": "user", "content": "hi !throttled"}), path)
    assert reply.status == 500
    assert upstream.ledger.turns[0].scripted == "internal"


def test_the_question_before_is_cut_and_without_directives() -> None:
    before = (CompletionMessage("user", "!plain " + "x" * 300),)
    assert question_handler.previous_question(MessageHistory("q", before), {"plain"}) == "x" * 200
    assert question_handler.previous_question(MessageHistory("q", ()), ()) is None
