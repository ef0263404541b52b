import pytest

from tests.support.emulator.responses_client import ResponsesClient, text_of

pytestmark = pytest.mark.anyio


async def test_the_middle_can_be_chosen(asker: ResponsesClient) -> None:
    reply = await asker.ask("tell me !no-finish !at=7", stream=True)
    assert reply.names.count("response.output_text.delta") == 7


async def test_a_broken_event_takes_a_piece_of_the_text_with_it(asker: ResponsesClient) -> None:
    plain, broken = await asker.ask("tell me", stream=True), await asker.ask("tell me !bad-json", stream=True)
    texts = [text_of(reply.events[-1]["response"]) for reply in (broken, plain)]
    assert len(texts[0]) < len(texts[1])


async def test_a_failed_response_keeps_its_output(asker: ResponsesClient) -> None:
    response = (await asker.ask("tell me !internal-after-text")).json
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
