from emulator.anthropic.whole_message import fold
from tests.support.emulator.event_reply import Json

START: Json = {
    "type": "message_start",
    "message": {"id": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}},
}


def test_usage_and_reason_come_from_the_end() -> None:
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    message = fold([START, {"type": "ping"}, end, {"type": "message_stop"}])
    assert message == {
        "id": "m",
        "content": [],
        "usage": {"input_tokens": 3, "output_tokens": 9},
        "stop_reason": "end_turn",
    }


def test_arguments_that_are_no_json_stay_text() -> None:
    block = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"a":'}
    events: list[Json] = [
        START,
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
    ]
    assert fold(events)["content"] == [{**block, "input": '{"a":'}]
