import msgspec

from wire.prompt import (
    AnswerFormat,
    Message,
    Opaque,
    Picture,
    Prompt,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    last_turn,
    pictures,
    without_extra,
)


def message_of(role: str) -> Message:
    return msgspec.convert({"role": role, "parts": [{"type": "text", "text": role}]}, Message)


def test_the_last_turn_ends_with_an_answer_that_something_follows() -> None:
    user, assistant, tool = map(message_of, ("user", "assistant", "tool"))
    assert last_turn([]) == 0
    assert last_turn([user]) == 0
    assert last_turn([user, assistant, tool, user]) == 2
    assert last_turn([user, assistant]) == 0
    assert last_turn([user, assistant, user, assistant]) == 2


def test_the_text_of_a_message_is_that_of_its_parts() -> None:
    parts = (Text("one"), Picture("https://example.com/a.png"), Opaque({"type": "file"}), Refusal("two"))
    assert Message("assistant", parts).text == "one\n\ntwo"


def test_the_pictures_of_messages_are_found_in_order() -> None:
    first, second = Picture("data:image/png;base64,AA=="), Picture("https://example.com/b.png")
    messages = [Message("user", (Text("look"), first)), Message("user", (second,))]
    assert list(pictures(messages)) == [first, second]


def test_a_message_survives_its_encoding() -> None:
    call = ToolCall("c1", "add", '{"a": 1}', extra={"extra_content": {"google": {"thought_signature": "x"}}})
    message = Message("assistant", (Refusal("no"),), name="me", calls=(call,), extra={"reasoning_content": "hm"})
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == message


def test_a_prompt_loses_what_only_servers_of_its_dialect_understand_but_not_thoughts() -> None:
    extra = {"cache_control": {"type": "ephemeral"}}
    thought, hosted = Thought("hm", {"signature": "s"}), Tool("web_search", extra={"type": "web_search"})
    prompt = Prompt(
        "anthropic",
        "m",
        (
            Message(
                "assistant", (thought, Text("a", extra)), calls=(ToolCall("1", "f", "{}", extra=extra),), extra=extra
            ),
        ),
        tools=(Tool("function", "f", extra=extra), hosted),
        format=AnswerFormat("json", extra=extra),
        extra={"mcp_servers": []},
    )
    assert without_extra(prompt) == Prompt(
        "anthropic",
        "m",
        (Message("assistant", (thought, Text("a")), calls=(ToolCall("1", "f", "{}"),)),),
        tools=(Tool("function", "f"), hosted),
        format=AnswerFormat("json"),
    )
