import pytest

from emulator.responses.turn import fold
from tests.support.emulator.responses_client import ResponsesClient

pytestmark = pytest.mark.anyio


def test_without_an_end_the_items_that_are_done_are_all_there_is() -> None:
    created = {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}}
    done = {"type": "response.output_item.done", "item": {"id": "a"}}
    assert fold([created, done]) == {"id": "r", "status": "in_progress", "output": [{"id": "a"}]}


async def test_a_call_that_is_cut_is_incomplete(asker: ResponsesClient) -> None:
    call = {"kind": "tool_call", "name": "f", "text": '{"city":"Paris"}'}
    await asker.script(account="k1", answers=[{"blocks": [call], "sizes": 1}])
    response = (await asker.ask("hello", max_output_tokens=16)).json
    (item,) = response["output"]
    assert (item["status"], len(item["arguments"]), item["call_id"][:5]) == ("incomplete", 15, "call_")


async def test_scripted_reasons_make_it_incomplete(asker: ResponsesClient) -> None:
    answer = {"blocks": [{"kind": "text", "text": "a"}], "finish_reason": "content_filter", "usage": {"x": 1}}
    await asker.script(account="k1", answers=[answer])
    response = (await asker.ask("hello")).json
    assert (response["incomplete_details"], response["usage"]) == ({"reason": "content_filter"}, {"x": 1})
