import pytest

from emulator.anthropic import message_checks
from emulator.anthropic.error_response import MessageError
from emulator.anthropic.thought_signatures import ThoughtSignatures, sign
from tests.support.emulator.anthropic_bodies import HI, assistant, call, read, result, text, user, wrong
from tests.support.emulator.event_reply import Json

THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": sign("Hm.", "Hm.")}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
NO_RESULT = "`tool_use` ids were found without `tool_result` blocks immediately after: "
NO_CALL = "unexpected `tool_use_id` found in `tool_result` blocks: "

WRONG: dict[str, tuple[list[Json], str]] = {
    "none": ([], "messages: at least one message is required"),
    "assistant first": ([assistant(text("a"))], 'messages: first message must use the "user" role'),
    "nothing in it": ([user()], "messages.0: all messages must have non-empty content"),
    "empty text": ([user(text(""))], "messages: text content blocks must be non-empty"),
    "empty string": ([{"role": "user", "content": ""}], "messages: text content blocks must be non-empty"),
    "blank text": ([user(text(" \n"))], "messages: text content blocks must contain non-whitespace text"),
    "empty marked text": (
        [user(text("") | {"cache_control": {"type": "ephemeral"}})],
        "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
    ),
    "white space at the end": (
        [HI, assistant(text("so "))],
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    "a call of the user's": ([user(call("t1"))], "messages.0.content.0: `tool_use` blocks can only be"),
    "a result of the assistant's": ([HI, assistant(result("t1"))], "messages.1.content.0: `tool_result` blocks can"),
    "a call of the system's": (
        [HI, {"role": "system", "content": [call("t1")]}],
        "messages.1.content.0: `system` messages can only have `text` blocks",
    ),
    "no result at all": ([HI, assistant(call("t1"))], f"messages.1: {NO_RESULT}t1."),
    "another answer": ([HI, assistant(call("t1")), HI], f"messages.1: {NO_RESULT}t1."),
    "one of two results": ([HI, assistant(call("t1"), call("t2")), user(result("t2"))], f"messages.1: {NO_RESULT}t1."),
    "a result behind text": (
        [HI, assistant(call("t1")), user(text("so"), result("t1"))],
        f"messages.1: {NO_RESULT}t1.",
    ),
    "a result without call": ([HI, assistant(text("a")), user(result("t9"))], f"messages.2.content.0: {NO_CALL}t9."),
    "a result too late": (
        [HI, assistant(call("t1")), user(result("t1")), assistant(text("a")), user(result("t1"))],
        f"messages.4.content.0: {NO_CALL}t1.",
    ),
    "a result twice": (
        [HI, assistant(call("t1")), user(result("t1"), result("t1"))],
        "messages.2.content.1: each tool_use must have a single result.",
    ),
    "an id twice": ([HI, assistant(call("t1"), call("t1"))], "messages.1: `tool_use` ids must be unique"),
    "an id again": (
        [HI, assistant(call("t1")), user(result("t1")), assistant(call("t1")), user(result("t1"))],
        "messages.3: `tool_use` ids must be unique",
    ),
    "a thought at the end": (
        [HI, assistant(text("a"), THOUGHT), HI],
        "messages.1: The final block in an assistant message cannot be `thinking`.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_place(name: str) -> None:
    messages, message = WRONG[name]
    assert wrong(*messages).startswith(message)


RIGHT: dict[str, list[Json]] = {
    "neighbours of one role": [HI, HI, assistant(text("a")), assistant(text("b")), HI],
    "results over two messages": [HI, assistant(call("t1"), call("t2")), user(result("t2")), user(result("t1"))],
    "text behind results": [HI, assistant(call("t1")), user(result("t1"), text("and now?"))],
    "calls over two messages": [HI, assistant(call("t1")), assistant(call("t2")), user(result("t1"), result("t2"))],
    "the system between": [HI, {"role": "system", "content": "Be brief."}, assistant(text("a")), HI],
    "the beginning of an answer": [HI, assistant(text("The answer is ("))],
    "an empty last answer": [HI, assistant()],
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str) -> None:
    read(*RIGHT[name])


def thoughts_wrong(*messages: Json, thinking: Json | None = None) -> str | None:
    request = read(*messages, thinking=thinking).request
    try:
        message_checks.check_thoughts(request.messages, request.thinking, ThoughtSignatures())
    except MessageError as error:
        return error.response.message
    return None


def test_a_thought_comes_back_unchanged_or_not_at_all() -> None:
    answer = text("a")
    assert thoughts_wrong(HI, assistant(THOUGHT, answer), HI) is None
    for change in ({"thinking": "Hm"}, {"signature": "bm8="}, {"signature": "§"}, {"signature": ""}):
        message = thoughts_wrong(HI, assistant(THOUGHT | change, answer), HI)
        assert message == "messages.1.content.0: Invalid `signature` in `thinking` block"
    redacted = {"type": "redacted_thinking", "data": "bm8="}
    message = thoughts_wrong(HI, assistant(redacted, answer), HI)
    assert message == "messages.1.content.0: Invalid `data` in `redacted_thinking` block"


def test_a_round_of_calls_begins_with_its_thought() -> None:
    first, second = [assistant(call("t1")), user(result("t1"))], [assistant(call("t2")), user(result("t2"))]
    thinking = [assistant(THOUGHT, call("t1")), user(result("t1"))]
    missing = "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    assert (thoughts_wrong(HI, *first, thinking=ENABLED) or "").startswith(missing)
    assert (thoughts_wrong(HI, *first, *second, thinking=ENABLED) or "").startswith(missing)
    assert thoughts_wrong(HI, *thinking, *second, thinking=ENABLED) is None
    assert thoughts_wrong(HI, *first, assistant(text("a")), HI, thinking=ENABLED) is None
    assert thoughts_wrong(HI, *first, thinking={"type": "adaptive"}) is None
    assert thoughts_wrong(HI, *first) is None


def test_the_beginning_of_an_answer_needs_its_thought() -> None:
    assert "but found `text`" in (thoughts_wrong(HI, assistant(text("a")), thinking=ENABLED) or "")
