from hypothesis import given
from hypothesis import strategies as st

from emulator.json_text import Json
from emulator.openai import chunks


def event(delta: Json, reason: str | None = None) -> Json:
    return chunks.head("1", "chat.completion.chunk", 7, "m") | {"choices": [chunks.choice(delta, reason)]}


@given(st.lists(st.text(max_size=5)))
def test_the_deltas_add_up_to_the_message(pieces: list[str]) -> None:
    events = [event({"role": "assistant", "content": ""}), *(event({"content": piece}) for piece in pieces)]
    whole = chunks.join([*events, event({}, "stop")], chunks.usage(2, 3))
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "".join(pieces), "refusal": None}
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["total_tokens"] == 5


def test_fields_beside_the_choices_stay_and_other_texts_differ() -> None:
    events = [
        event({"role": "assistant", "content": "", "reasoning_content": "a"}) | {"citations": ["u"]},
        {"choices": []},
        {},
        event({"role": "assistant", "content": "x", "reasoning_content": "b"}),
        event({"annotations": [1]}),
    ]
    whole = chunks.join(events, {})
    message = whole["choices"][0]["message"]
    assert whole["citations"] == ["u"]
    assert (message["role"], message["content"], message["reasoning_content"]) == ("assistant", "x", "ab")
    assert message["annotations"] == [1]


def test_calls_add_up_whether_their_index_is_known_or_not() -> None:
    indexes: list[Json] = [{"index": 0}, {}]
    for index in indexes:
        first = {**index, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
        second = {**index, "function": {"arguments": "{}"}}
        message = chunks.join([event({"content": "", "tool_calls": [one]}) for one in (first, second)], {})["choices"][
            0
        ]
        assert message["message"]["content"] is None
        assert message["message"]["tool_calls"] == [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ]


def test_parts_of_thoughts_and_text_become_one_of_each() -> None:
    thoughts: list[Json] = [
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]} for text in "ab"
    ]
    texts: list[Json] = [{"content": text} for text in "cd"]
    content = chunks.join([event(delta) for delta in (*thoughts, *texts)], {})["choices"][0]["message"]["content"]
    assert content == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "ab"}]},
        {"type": "text", "text": "cd"},
    ]
