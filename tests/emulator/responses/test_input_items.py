import pytest

from emulator.openai.error_response import BadRequestError
from emulator.responses import input_items
from emulator.responses.input_items import convert, resolve, seal
from tests.support.emulator.event_reply import Json

HI: Json = {"role": "user", "content": "hi"}
CALL: Json = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "7"}
CUSTOM: Json = {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"}
TEXT: Json = {"type": "input_text", "text": "y"}
CUSTOM_OUTPUT: Json = {"type": "custom_tool_call_output", "call_id": "c2", "output": [TEXT]}
THOUGHT: Json = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": seal("Hm.", "Hm, indeed."),
}

WRONG: dict[str, tuple[list[Json], str]] = {
    "an unknown item": ([{"type": "tool_call"}], "Invalid value for 'input[0].type'"),
    "an unknown role": ([{"role": "tool", "content": "a"}], "Invalid value for 'input[0].role'"),
    "no content": ([{"role": "user"}], "Invalid type for 'input[0].content'"),
    "a part of a chat's": ([{"role": "user", "content": [TEXT | {"type": "text"}]}], "Invalid value for 'input[0].con"),
    "input of the assistant's": (
        [{"role": "assistant", "content": [{"type": "input_text", "text": "a"}]}],
        "Invalid value for 'input[0].content[0].type'",
    ),
    "a picture that is none": (
        [{"role": "user", "content": [{"type": "input_image", "image_url": "cat"}]}],
        "Invalid image",
    ),
    "an empty file": ([{"role": "user", "content": [{"type": "input_file"}]}], "Missing required parameter"),
    "a call without a name": ([CALL | {"name": None}, OUTPUT], "Missing required parameter: 'input[0].name'"),
    "arguments as an object": ([CALL | {"arguments": {}}, OUTPUT], "Invalid type for 'input[0].arguments'"),
    "a call without output": ([CALL, HI], "No tool output found for function call c1."),
    "an output without call": ([OUTPUT], "No tool call found for function call output with call_id c1."),
    "an output before its call": ([OUTPUT, CALL], "No tool call found for function call output"),
    "an output of another kind": ([CUSTOM | {"call_id": "c1"}, OUTPUT], "No tool call found for function call output"),
    "a thought that was changed": (
        [THOUGHT | {"summary": []}, CALL, OUTPUT],
        "The encrypted content for item rs_1 could not be verified.",
    ),
    "a thought that nobody made": ([THOUGHT | {"encrypted_content": "gAAAA"}, CALL, OUTPUT], "The encrypted content"),
    "a thought alone": ([HI, THOUGHT], "Item 'rs_1' of type 'reasoning' was provided without its required following"),
    "a thought before a question": ([THOUGHT, HI], "Item 'rs_1' of type 'reasoning' was provided without"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    items, message = WRONG[name]
    with pytest.raises(BadRequestError) as caught:
        convert(items)
    assert caught.value.response.message.startswith(message)


def test_items_become_messages_and_neighbouring_calls_one() -> None:
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    messages = convert([HI, THOUGHT, CALL, CUSTOM, OUTPUT, CUSTOM_OUTPUT, THOUGHT, answer, HI])
    assert [message.role for message in messages] == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert [call.name for call in messages[1].calls] == ["f", "g"]
    assert [message.text for message in messages[2:5]] == ["7", "y", "a"]


def test_a_reference_is_replaced_by_its_item() -> None:
    known = {"rs_1": THOUGHT}
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert resolve([{"type": "item_reference", "id": "rs_1"}, bare, HI], known.get) == [THOUGHT, THOUGHT, HI]
    with pytest.raises(BadRequestError) as caught:
        resolve([bare | {"id": "rs_2"}], known.get)
    assert caught.value.response.status == 404


def test_a_text_alone_is_a_message() -> None:
    assert input_items.as_items("hi") == [HI]
    for wrong in (7, ["hi"], None):
        with pytest.raises(BadRequestError):
            input_items.as_items(wrong)
