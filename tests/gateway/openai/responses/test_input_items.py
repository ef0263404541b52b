"""The item kinds of the Responses API become messages that lose nothing."""

from typing import Any

import pytest

from gateway.answering.thought_fields import pack
from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import MAX_MESSAGES, MAX_PARTS, MAX_PICTURES
from gateway.openai.responses.input_items import parse_input
from gateway.openai.responses.item_references import MAX_CHARACTERS
from wire.blocks import Block
from wire.prompt import Message, Opaque, Picture, Refusal, Text, Thought, ToolCall

ANSWER = f"s0-{'a' * 32}"
KEPT = {ANSWER: [Block("reasoning", "hm", extra={"signature": "s"}), Block("text", "one")]}
GIF = "data:image/gif;base64,R0lGODlh"
USER = Message("user", (Text("hi"),), string=True)
ADD = ToolCall("c1", "add", "{}")
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": "{}", "status": "completed"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "2"}


def parse(*items: Any, continues: bool = False) -> tuple[Message, ...]:
    return parse_input(list(items), KEPT, continues=continues)


def test_a_text_is_a_message_of_the_user() -> None:
    assert parse_input("hi", {}, continues=False) == (USER,)


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
@pytest.mark.parametrize("kind", [{}, {"type": "message"}, {"type": None}])
def test_a_message_needs_no_type(kind: dict[str, Any], role: Any) -> None:
    assert parse(kind | {"role": role, "content": "hi"}) == (Message(role, (Text("hi"),), string=True),)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"type": "input_text", "text": "a", "x": 1}, Text("a", {"x": 1})),
        ({"type": "output_text", "text": "a", "annotations": [{}], "logprobs": []}, Text("a")),
        ({"type": "refusal", "refusal": "no"}, Refusal("no")),
        ({"type": "input_image", "image_url": "https://e.org/a.png"}, Picture("https://e.org/a.png")),
        ({"type": "input_image", "image_url": GIF, "detail": "low", "x": 1}, Picture(GIF, "low", {"x": 1})),
        ({"type": "image_url", "image_url": {"url": GIF}}, Picture(GIF)),
        ({"type": "input_image", "file_id": "f"}, Opaque({"type": "input_image", "file_id": "f"})),
        ({"type": "input_file", "file_data": "d"}, Opaque({"type": "input_file", "file_data": "d"})),
    ],
)
def test_parts_stay_parts(given: Any, part: Any) -> None:
    assert parse({"role": "user", "content": [given]}) == (Message("user", (part,)),)


def test_what_is_unknown_of_an_item_stays_with_its_message_or_call() -> None:
    message = {"role": "user", "content": "hi", "id": "msg_1", "status": "completed", "phase": "commentary"}
    answer, call = parse(message, CALL | {"namespace": "n"}, RESULT | {"x": 1})[:2], parse(CALL | {"y": 1}, RESULT)[0]
    assert answer == (
        Message("user", (Text("hi"),), string=True, extra={"phase": "commentary"}),
        Message("assistant", calls=(ToolCall("c1", "add", "{}", extra={"namespace": "n"}),)),
    )
    assert call.calls[0].extra == {"y": 1}


def test_a_round_with_tools_is_one_answer_with_its_results() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "run", "input": "ls"}
    assert parse(
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I add."}]},
        CALL,
        custom,
        RESULT,
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "a.txt"}]},
        {"role": "assistant", "content": "2"},
    ) == (
        USER,
        Message(
            "assistant",
            (Thought("hm"), Text("I add.")),
            calls=(ADD, ToolCall("c2", "run", "ls", custom=True)),
        ),
        Message("tool", (Text("2"),), string=True, call_id="c1"),
        Message("tool", (Text("a.txt"),), call_id="c2"),
        Message("assistant", (Text("2"),), string=True),
    )


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        ("", (Text(""),)),
        ([], ()),
        ([{"type": "input_image", "image_url": GIF}], (Picture(GIF),)),
        (
            [{"type": "output_text", "text": "a"}, {"type": "input_file", "file_id": "f"}],
            (Text("a"), Opaque({"type": "input_file", "file_id": "f"})),
        ),
        ([{"type": "resource"}], (Text('[{"type":"resource"}]'),)),
        ({"a": 1}, (Text('{"a":1}'),)),
        (5, (Text("5"),)),
    ],
)
def test_a_result_is_a_text_or_parts_and_else_json(output: Any, parts: Any) -> None:
    assert parse(CALL, RESULT | {"output": output})[1].parts == parts


@pytest.mark.parametrize(
    ("fields", "thought"),
    [
        ({"summary": [{"text": "a"}, {"text": "b"}]}, Thought("a\n\nb")),
        ({"summary": [{"text": "a"}], "content": [{"type": "reasoning_text", "text": "b"}]}, Thought("b")),
        ({"summary": [{"text": "a"}], "encrypted_content": pack({"signature": "s"})}, Thought("a", {"signature": "s"})),
        ({"summary": [], "encrypted_content": pack({"data": "d"})}, Thought("", {"data": "d"})),
        ({"summary": [], "encrypted_content": pack({})}, Thought("")),
        ({"id": f"rs_{ANSWER}_0", "summary": []}, Thought("hm", {"signature": "s"})),
        ({"id": f"rs_{ANSWER}_0", "encrypted_content": None}, Thought("hm", {"signature": "s"})),
        ({"id": f"rs_{'b' * 32}_0", "summary": [{"text": "a"}]}, Thought("a")),
    ],
)
def test_a_thought_comes_with_what_its_server_wants_back(fields: dict[str, Any], thought: Thought) -> None:
    assert parse({"type": "reasoning"} | fields) == (Message("assistant", (thought,)),)


@pytest.mark.parametrize(
    "fields",
    [
        {"encrypted_content": "gAAAAAB", "summary": [{"text": "a"}]},
        {"encrypted_content": "bcg0.!!", "id": f"rs_{ANSWER}_0"},
        {"summary": []},
        {"id": f"rs_{ANSWER}_1"},
        {"id": "rs_1"},
    ],
)
def test_a_thought_that_is_not_ours_is_left_out(fields: dict[str, Any]) -> None:
    assert parse({"type": "reasoning"} | fields, {"role": "user", "content": "hi"}) == (USER,)


@pytest.mark.parametrize("kind", ["mcp_list_tools", "compaction", "compaction_summary", "ghost_snapshot"])
def test_what_only_another_server_reads_is_left_out(kind: str) -> None:
    assert parse({"type": kind, "encrypted_content": "x"}, {"role": "user", "content": "hi"}) == (USER,)


def test_a_reference_is_the_item_of_the_kept_answer() -> None:
    items = ({"type": "item_reference", "id": f"rs_{ANSWER}_0"}, {"id": f"msg_{ANSWER}_1"})
    assert parse(*items) == (Message("assistant", (Thought("hm", {"signature": "s"}), Text("one"))),)


@pytest.mark.parametrize(
    "item", [{"id": f"msg_{ANSWER}_1"}, {"type": "reasoning", "id": f"rs_{ANSWER}_0", "summary": []}]
)
def test_an_answer_may_not_be_repeated_until_it_fills_the_memory(item: Any) -> None:
    third = "x" * (MAX_CHARACTERS // 3)
    answers = {ANSWER: [Block("reasoning", third), Block("text", third)]}
    user = {"role": "user", "content": "more"}
    assert len(parse_input([item, user] * 2, answers, continues=False)) == 4
    with pytest.raises(InvalidRequestError) as caught:
        parse_input([item, user] * 3, answers, continues=False)
    assert (caught.value.fault.param, caught.value.fault.code) == ("input", "context_length_exceeded")


def test_a_shell_call_and_its_result_of_any_kind_are_words() -> None:
    call = {"type": "local_shell_call", "call_id": "c1", "action": {"command": ["ls"]}}
    for kind in ("local_shell_call_output", "function_call_output"):
        assert parse(call, {"type": kind, "call_id": "c1", "output": "a.txt"}) == (
            Message("assistant", (Text('[Called local_shell: {"command":["ls"]}]'),), string=True),
            Message("tool", (Text("a.txt"),), string=True),
        )


def test_a_screenshot_is_a_picture() -> None:
    output = {"type": "computer_screenshot", "image_url": GIF}
    (_, shown) = parse(
        {"type": "computer_call", "call_id": "c1", "action": {"type": "click"}},
        {"type": "computer_call_output", "call_id": "c1", "output": output},
    )
    assert shown == Message("tool", (Picture(GIF),))
    for picture in ({"type": "computer_screenshot", "file_id": "f"}, {"type": "computer_screenshot"}):
        assert isinstance(parse({"type": "computer_call_output", "output": picture})[0].parts[0], Text)


def test_results_alone_answer_calls_before_the_input() -> None:
    assert parse(RESULT, continues=True) == (Message("tool", (Text("2"),), string=True, call_id="c1"),)
    with pytest.raises(InvalidRequestError, match="No tool call found") as caught:
        parse(RESULT)
    assert caught.value.fault.param == "input[0].call_id"


DEEP: Any = 0
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ("hi", ""),
        ({"type": 5}, ".type"),
        ({"type": "teapot"}, ".type"),
        ({"role": "tool", "content": "a"}, ".role"),
        ({"role": ["user"], "content": "a"}, ".role"),
        ({"role": "user"}, ".content"),
        ({"role": "user", "content": 5}, ".content"),
        ({"role": "user", "content": ["a"]}, ".content[0]"),
        ({"role": "user", "content": [{"type": ""}]}, ".content[0].type"),
        ({"role": "user", "content": [{"type": "input_text", "text": ""}] * (MAX_PARTS + 1)}, ".content"),
        ({"role": "user", "content": [{"type": "input_image"}]}, ".content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_image", "image_url": "a.png"}]}, ".content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_file", "x": DEEP}]}, ".content[0]"),
        ({"role": "user", "content": "a", "name": 5}, ".name"),
        ({"role": "user", "content": "a", "x": DEEP}, ".x"),
        (CALL | {"call_id": ""}, ".call_id"),
        (CALL | {"name": None}, ".name"),
        (CALL | {"arguments": {}}, ".arguments"),
        ({"type": "custom_tool_call", "call_id": "c1", "name": "run"}, ".input"),
        (RESULT | {"call_id": 5}, ".call_id"),
        (RESULT | {"output": None}, ".output"),
        (RESULT | {"output": DEEP}, ".output"),
        ({"type": "web_search_call", "action": DEEP}, ".action"),
        ({"type": "shell_call_output", "output": DEEP}, ".output"),
        ({"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "a"}}, None),
        ({"type": "reasoning", "summary": "a"}, ".summary"),
        ({"type": "reasoning", "summary": [{"text": 5}]}, ".summary[0].text"),
        ({"type": "reasoning", "encrypted_content": 5}, ".encrypted_content"),
        ({"type": "item_reference", "id": 5}, ".id"),
    ],
)
def test_a_wrong_item_is_refused_by_its_name(item: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse({"role": "user", "content": "hi"}, item, continues=True)
    where = ".output.image_url" if param is None else param
    assert (caught.value.fault.status, caught.value.fault.param) == (400, f"input[1]{where}")


def test_an_input_may_have_so_many_items_and_no_more() -> None:
    items = [{"role": "user", "content": "hi"}] * MAX_MESSAGES
    assert len(parse(*items)) == MAX_MESSAGES
    with pytest.raises(InvalidRequestError, match="up to 10000 entries"):
        parse(*items, items[0])


@pytest.mark.parametrize("given", [None, 5, [], {}])
def test_an_input_is_a_text_or_items(given: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_input(given, {}, continues=False)
    assert caught.value.fault.param == "input"


def test_an_input_may_hold_some_pictures() -> None:
    message = {"role": "user", "content": [{"type": "input_image", "image_url": "https://e.org/a.png"}] * MAX_PICTURES}
    assert len(parse(message)) == 1
    with pytest.raises(InvalidRequestError) as caught:
        parse(message, message)
    assert caught.value.fault.param == "input"
