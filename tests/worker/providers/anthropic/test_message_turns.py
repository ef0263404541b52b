"""Turns that alternate, with each call's result right behind it, whatever the messages were."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.prompt import Message, Opaque, Part, Picture, PromptRole, Text, Thought, ToolCall
from worker.providers.anthropic.message_turns import TurnWriter, lacks_thought, split_system, write_system

CACHED = {"cache_control": {"type": "ephemeral"}}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}


def words(role: PromptRole, said_text: str, **more: Any) -> Message:
    return Message(role, (Text(said_text),), string=True, **more)


def calling(*ids: str, **more: Any) -> Message:
    return Message("assistant", calls=tuple(ToolCall(id_, "add", '{"a":1}') for id_ in ids), **more)


def result(id_: str, text: str = "2", **more: Any) -> Message:
    return words("tool", text, call_id=id_, **more)


def written(*messages: Message, own: bool = False, **form: bool) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = json.loads(msgspec.json.encode(TurnWriter(own=own, **form).write(messages)))
    return turns


def text_block(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def use(id_: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "add", "input": {"a": 1}}


def answer(id_: str, content: Any = "2", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **more}


def test_a_text_stays_a_text_and_parts_stay_parts() -> None:
    assert written(words("user", "q"), words("assistant", "a"), Message("user", (Text("b"), Text("c", CACHED)))) == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [text_block("b"), text_block("c", **CACHED)]},
    ]


def test_neighbours_of_one_role_become_one_turn() -> None:
    assert written(words("user", "a"), words("user", "b", name="Ann"), words("system", "note")) == [
        {"role": "user", "content": [text_block("a"), text_block("Ann: b"), text_block("note")]}
    ]


def test_results_are_in_front_of_what_else_their_turn_has() -> None:
    turns = written(
        words("user", "q"),
        calling("c1"),
        calling("c2"),
        words("system", "note"),
        result("c1"),
        Message("tool", (Text("no"), Picture("https://a/")), call_id="c2", is_error=True, extra=CACHED),
        words("user", "and?"),
    )
    picture = {"type": "image", "source": {"type": "url", "url": "https://a/"}}
    assert turns[1:] == [
        {"role": "assistant", "content": [use("c1"), use("c2")]},
        {
            "role": "user",
            "content": [
                answer("c1"),
                answer("c2", [text_block("no"), picture], is_error=True, **CACHED),
                text_block("note"),
                text_block("and?"),
            ],
        },
    ]


def test_what_follows_a_call_stays_behind_it() -> None:
    turns = written(words("user", "q"), calling("c1"), words("assistant", "so"), result("c1"))
    assert turns[1]["content"] == [use("c1"), text_block("so")]


def test_a_call_without_a_result_gets_one() -> None:
    turns = written(words("user", "q"), calling("c1", "c2"), result("c2"), words("user", "r"), calling("c3"))
    assert [block["tool_use_id"] for block in turns[2]["content"][:2]] == ["c1", "c2"]
    assert turns[-1] == {"role": "user", "content": [answer("c3", "(no result)")]}


def test_a_result_without_a_call_is_a_users_text() -> None:
    assert written(words("user", "q"), result("gone")) == [
        {"role": "user", "content": [text_block("q"), text_block("2")]}
    ]


def test_ids_that_the_server_would_refuse_are_replaced() -> None:
    turns = written(words("user", "q"), calling("a.b"), result("a.b"), calling("a.b"), result("a.b"))
    ids = [block["id"] for turn in turns for block in turn["content"] if turn["role"] == "assistant"]
    assert len(set(ids)) == 2
    assert [turn["content"][0]["tool_use_id"] for turn in turns[2::2]] == ids
    assert all(id_.replace("_", "").isalnum() for id_ in ids)


def test_a_conversation_begins_with_its_users_turn() -> None:
    assert [turn["role"] for turn in written(words("assistant", "Hi!"), words("user", "q"))] == [
        "user",
        "assistant",
        "user",
    ]
    assert written(words("assistant", "Hi!"), own=True) == [{"role": "assistant", "content": "Hi!"}]


@pytest.mark.parametrize("string", [True, False])
def test_what_the_model_is_to_continue_has_no_blank_space_at_its_end(string: bool) -> None:
    begun = Message("assistant", (Text("It is \n"),), string=string)
    content = written(words("user", "q"), begun)[1]["content"]
    assert content == ("It is" if string else [text_block("It is")])


def test_empty_messages_are_none() -> None:
    turns = written(words("user", "a"), words("assistant", " "), words("user", "b"), Message("assistant"))
    assert turns == [{"role": "user", "content": [text_block("a"), text_block("b")]}]


def test_thoughts_go_back_where_they_were() -> None:
    first = Message("assistant", (Thought("hm", {"signature": "s"}), Text("so")), calls=(ToolCall("c1", "add", ""),))
    second = Message("assistant", (Thought("", {"data": "d"}),), calls=(ToolCall("c2", "add", ""),))
    turns = written(words("user", "q"), first, second, result("c1"), result("c2"))
    assert [block["type"] for block in turns[1]["content"]] == [
        "thinking", "text", "tool_use", "redacted_thinking", "tool_use",
    ]  # fmt: skip
    assert turns[1]["content"][0] == SIGNED
    bare = written(words("user", "q"), first, result("c1"), thinking=False)
    assert [block["type"] for block in bare[1]["content"]] == ["text", "tool_use"]


def test_thoughts_beside_a_message_come_first_and_each_once() -> None:
    later = {"type": "redacted_thinking", "data": "d"}
    calls = (ToolCall("c1", "add", ""), ToolCall("c2", "add", "", extra={"thinking_blocks": [SIGNED, later]}))
    unsigned = {"type": "thinking", "thinking": "x", "signature": ""}
    message = Message("assistant", (Text("so"),), calls=calls, extra={"thinking_blocks": [SIGNED, unsigned, 7]})
    content = written(words("user", "q"), message, result("c1"), result("c2"))[1]["content"]
    assert content[0] == SIGNED
    assert [block["type"] for block in content] == ["thinking", "text", "tool_use", "redacted_thinking", "tool_use"]
    own = Message("assistant", (Thought("own", {"signature": "t"}),), calls=calls[:1], extra=message.extra)
    assert [block.get("thinking") for block in written(words("user", "q"), own)[1]["content"]] == ["own", None]


def test_thoughts_that_nothing_follows_are_dropped() -> None:
    thought = Message("assistant", (Thought("hm", {"signature": "s"}),))
    turns = written(words("user", "q"), thought, words("user", "r"))
    assert turns[1] == {"role": "assistant", "content": [text_block(".")]}


def test_a_clients_own_messages_go_as_they_came() -> None:
    document = {"type": "document", "source": {"type": "file", "file_id": "f"}, "context": "c"}
    turns = written(
        Message("user", (Opaque(document), Text("q", {"citations": None})), extra={"x": 1}),
        Message("assistant", (Text("a", {"y": 2}),), calls=(ToolCall("c1", "add", '{"a":1}', extra={"z": 3}),)),
        Message("tool", (Text("b"),), call_id="c1", extra={"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        words("system", "be brief"),
        own=True,
    )
    assert turns == [
        {"role": "user", "content": [document, text_block("q", citations=None)], "x": 1},
        {"role": "assistant", "content": [text_block("a", y=2), {**use("c1"), "z": 3}]},
        {
            "role": "user",
            "content": [answer("c1", [text_block("b")], cache_control={"type": "ephemeral", "ttl": "1h"})],
        },
        {"role": "system", "content": "be brief"},
    ]


@pytest.mark.parametrize(("content", "sent"), [((), None), ((Text(""),), "")])
def test_a_result_may_be_empty(content: tuple[Part, ...], sent: str | None) -> None:
    message = Message("tool", content, string=bool(content), call_id="c1")
    block = written(words("user", "q"), calling("c1"), message, own=True)[2]["content"][0]
    assert block.get("content") == sent
    assert written(words("user", "q"), calling("c1"), message)[2]["content"] == [answer("c1", "")]


def test_a_marked_message_has_its_mark_at_its_last_block() -> None:
    assert written(Message("user", (Text("a"), Text("b")), extra=CACHED))[0]["content"][1] == text_block("b", **CACHED)
    assert written(words("user", "a", extra=CACHED))[0]["content"] == [text_block("a", **CACHED)]


def test_the_systems_leading_messages_have_a_field_of_their_own() -> None:
    notes = [words("system", "a"), words("developer", "b")]
    rest = [words("user", "q"), words("system", "c")]
    assert split_system([*notes, *rest], "told") == (notes, rest)
    assert split_system([*notes, *rest], "first") == ([*notes, rest[1]], rest[:1])
    assert split_system(notes, "told") == (notes[:1], notes[1:])
    assert write_system([], own=False) is None
    assert write_system(notes[:1], own=False) == "a"
    assert write_system([notes[0], Message("system", (Text(" "), Text("c", CACHED)))], own=False) == [
        text_block("a"),
        text_block("c", **CACHED),
    ]
    assert write_system([words("system", "a", extra=CACHED)], own=False) == [text_block("a", **CACHED)]


@pytest.mark.parametrize(
    ("messages", "lacks"),
    [
        ([words("user", "q")], False),
        ([words("user", "q"), calling("c1"), result("c1")], True),
        ([words("user", "q"), calling("c1", extra={"thinking_blocks": [SIGNED]}), result("c1")], False),
        (
            [
                words("user", "q"),
                calling("c1"),
                result("c1"),
                calling("c2", extra={"thinking_blocks": [SIGNED]}),
                result("c2"),
            ],
            True,
        ),
        ([words("user", "q"), calling("c1"), result("c1"), words("assistant", "a"), words("user", "r")], False),
    ],
)
def test_amid_calls_without_a_thought_the_model_can_not_be_given_a_budget(messages: list[Message], lacks: bool) -> None:
    assert lacks_thought(written(*messages)) is lacks


TEXTS = st.sampled_from(["", " ", "a", "b ", "\n"]).map(Text)
THOUGHTS = st.builds(Thought, st.just("hm"), st.sampled_from([{}, {"signature": "s"}, {"x": "y"}]))
CALLS = st.builds(ToolCall, st.sampled_from(["c", "d", "e.f"]), st.just("add"), st.sampled_from(["", "{}", "[", "{}"]))
MESSAGES = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), st.tuples(TEXTS), string=st.booleans()),
    st.builds(
        Message,
        st.just("assistant"),
        st.lists(TEXTS | THOUGHTS, max_size=2).map(tuple),
        calls=st.lists(CALLS, max_size=2, unique_by=lambda call: call.id).map(tuple),
    ),
    st.builds(Message, st.just("tool"), st.tuples(TEXTS), call_id=st.sampled_from(["", "c", "d", "e.f", "z"])),
)


@given(st.lists(MESSAGES, min_size=1, max_size=8))
def test_whatever_the_messages_are_their_turns_are_well_formed(messages: list[Message]) -> None:
    waiting: list[str] = []
    seen: set[str] = set()
    turns = written(*messages)
    for number, turn in enumerate(turns):
        content = turn["content"]
        blocks = [text_block(content)] if isinstance(content, str) else content
        assert turn["role"] == ("user", "assistant")[number % 2]
        assert blocks
        assert all(block["text"].strip() for block in blocks if block["type"] == "text")
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert sorted(results) == sorted(waiting)
        assert [block["tool_use_id"] for block in blocks[: len(results)]] == results
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert len({*waiting, *seen}) == len(waiting) + len(seen)
        seen |= set(waiting)
        assert turn["role"] == "user" or blocks[-1]["type"] != "thinking"
    assert not waiting


def test_calls_of_one_id_are_numbered_in_the_time_of_their_number() -> None:
    turns = written(*(message for _ in range(20_000) for message in (calling("c"), result("c"))))
    # Each that counted from the first one on would take minutes, and meet the limit that each test has.
    assert [turns[-2]["content"][0]["id"], turns[-1]["content"][0]["tool_use_id"]] == ["c_20000", "c_20000"]


def test_many_calls_and_results_are_written_in_the_time_of_their_number() -> None:
    # With the square of it this would take an hour, and meet the limit that each test has.
    ids = [f"c{number}" for number in range(50_000)]
    asked, called, answered = written(words("user", "q"), calling(*ids), *map(result, ids))
    assert asked["content"] == "q"
    assert len(called["content"]) == len(answered["content"]) == len(ids)
