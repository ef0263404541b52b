"""Answers read from events, from whole messages, and from what is neither."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.worker.message_events import call, content, encoded, ending, message, opening, text, thinking, whole
from wire.blocks import Block, add_piece
from wire.messages import Source
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.anthropic.message_stream import MessageStream
from worker.providers.envelope import Envelopes
from worker.providers.openai.reader import CompletionReader

ENVELOPES = Envelopes(b"secret", "anthropic", "m")


def read(events: Iterable[Any], custom: Sequence[str] = ()) -> Completion:
    """Read an answer; what its pieces add up to is what it ends with."""
    stream = MessageStream("", ENVELOPES, custom)
    blocks: list[Block] = []
    for event in events:
        stream.read(event if isinstance(event, str) else json.dumps(event))
        for piece in stream.take():
            add_piece(blocks, piece)
    ended = stream.completion(b"")
    for piece in stream.take():
        add_piece(blocks, piece)
    shown = blocks[:-1] if blocks and len(blocks) > len(ended.blocks) > 0 else blocks
    assert not ended.blocks or shown == list(ended.blocks)
    return ended


def opened(ended: Completion) -> list[dict[str, Any]]:
    """The content that the server sent, from the blocks of an answer."""
    return [to_content(block) for block in (ended.blocks or ([Block("text", ended.text)] if ended.text else []))]


def to_content(block: Block) -> dict[str, Any]:
    extra = ENVELOPES.open(block.extra)
    match block.kind:
        case "text":
            return {"type": "text", "text": block.text, **extra}
        case "reasoning" if "data" in extra:
            return {"type": "redacted_thinking", **extra}
        case "reasoning":
            return {"type": "thinking", "thinking": block.text, **extra}
        case "tool_call":
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": json.loads(block.text), **extra}
    return extra


def failure(*events: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(events)
    return caught.value


def test_a_text_alone_needs_no_blocks() -> None:
    ended = read(message(text("hello world")))
    assert (ended.text, ended.blocks, ended.finish, ended.finish_raw) == ("hello world", (), "stop", "end_turn")
    assert ended.usage is not None
    assert (ended.usage.prompt, ended.usage.completion, ended.extra) == (7, 5, {})


def test_what_only_the_server_reads_leaves_in_envelopes() -> None:
    hidden = {"type": "redacted_thinking", "data": "opaque"}
    ended = read(message(thinking("hm", "sig"), hidden, text("yes")))
    first, second, _ = ended.blocks
    assert (first.kind, first.text, second.text) == ("reasoning", "hm", "")
    assert first.extra == {"signature": ENVELOPES.wrap("sig")}
    assert second.extra == {"data": ENVELOPES.wrap("opaque")}


def test_neighbours_of_one_kind_stay_apart() -> None:
    blocks = [thinking("a", "s"), thinking("b", "t"), text("c"), text("d")]
    assert opened(read(message(*blocks))) == blocks


def test_calls_are_read_with_their_arguments_as_they_were_written() -> None:
    events = [opening(), *content(0, call("add", {"a": 1.0, "b": "ü"}), 1), *ending("tool_use")]
    ended = read(events)
    assert [(block.id, block.name, block.text) for block in ended.blocks] == [("toolu_1", "add", '{"a":1.0,"b":"ü"}')]
    assert ended.ended == "tool_calls"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    started = {"type": "content_block_start", "index": 0, "content_block": call("now", {})}
    ended = read([opening(), started, {"type": "content_block_stop", "index": 0}, *ending("tool_use")])
    assert ended.blocks[0].text == "{}"


def test_arguments_may_come_with_the_beginning_of_a_call() -> None:
    started = {"type": "content_block_start", "index": 0, "content_block": call("add", {"a": 1})}
    ended = read([opening(), started, *ending("tool_use")])
    assert json.loads(ended.blocks[0].text) == {"a": 1}


@pytest.mark.parametrize("given", [{"input": "ls -l"}, "ls -l"])
def test_a_custom_tools_call_is_its_text(given: Any) -> None:
    ended = read([opening(), *content(0, call("run", given), 3), *ending("tool_use")], ["run"])
    (block,) = ended.blocks
    assert (block.custom, block.text) == (True, "ls -l" if isinstance(given, dict) else '"ls -l"')


def test_a_call_that_the_limit_cuts_is_none() -> None:
    half = list(content(0, call("add", {"a": 1}), 2))[:-2]
    ended = read([opening(), *content(0, text("so")), *half, *ending("max_tokens")])
    assert (ended.text, ended.blocks, ended.finish) == ("so", (), "length")


def test_a_call_that_the_limit_cuts_before_its_arguments_is_none() -> None:
    started = {"type": "content_block_start", "index": 0, "content_block": call("add", {})}
    assert read([opening(), started, *ending("max_tokens")]).blocks == ()


def test_half_a_call_of_a_message_that_says_no_reason_is_none() -> None:
    started = list(content(0, call("add", {"a": 1}), 3))[:3]
    ended = read([opening(), *content(1, text("a")), *started, {"type": "message_stop"}])
    assert (ended.text, ended.blocks, ended.ended) == ("a", (), "")


def test_a_call_without_a_name_is_none() -> None:
    assert read([opening(), *content(0, call("", {"a": 1})), *content(1, text("b")), *ending()]).text == "b"


def test_blocks_of_the_servers_own_tools_are_whole_objects() -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    found = {"type": "web_search_result", "url": "https://a/", "title": "A", "encrypted_content": "x"}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]}
    ended = read(message(search, result, text("so")))
    assert opened(ended) == [search, result, text("so")]
    assert [block.kind for block in ended.blocks] == ["opaque", "opaque", "text"]
    assert ended.blocks[1].extra["content"][0]["encrypted_content"] == ENVELOPES.wrap("x")


def test_citations_stay_with_their_text_and_are_sources_too() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a/", "title": "A", "cited_text": "t"}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": cited}}
    start, *rest = content(0, text("so", citations=[]))
    ended = read([opening(), start, *rest[:-1], delta, delta, rest[-1], *ending()])
    assert ended.blocks == (Block("text", "so", extra={"citations": [cited, cited]}),)
    assert ended.urls == (Source("A", "https://a/"),)


@pytest.mark.parametrize(
    ("reason", "finish", "shown"),
    [
        ("end_turn", "stop", ""),
        ("stop_sequence", "stop", ""),
        ("pause_turn", "stop", ""),
        ("something_new", "stop", ""),
        ("max_tokens", "length", ""),
        ("model_context_window_exceeded", "length", ""),
        ("refusal", "content_filter", "refusal"),
    ],
)
def test_why_it_ended_is_reported(reason: str, finish: str, shown: str) -> None:
    ended = read(message(text("a"), reason=reason))
    assert (ended.finish, ended.ended, ended.finish_raw) == (finish, shown, reason)


def test_the_stop_sequence_is_beside_the_answer() -> None:
    assert read(message(text("a"), reason="stop_sequence", stop_sequence="X")).extra == {"stop_sequence": "X"}


def test_the_cache_counts_as_part_of_the_prompt() -> None:
    start = opening(cache_read_input_tokens=100, cache_creation_input_tokens=10)
    ended = read([start, *content(0, text("a")), *ending()])
    usage = ended.usage
    assert usage is not None
    assert (usage.prompt, usage.cached, usage.cache_written, usage.completion) == (117, 100, 10, 5)
    assert usage.raw["input_tokens"] == 7


def test_tokens_of_endlessly_many_kinds_are_not_collected() -> None:
    counts = [{"type": "message_delta", "delta": {}, "usage": {f"of_{number}": 1}} for number in range(200)]
    usage = read([opening(), *counts, *ending()]).usage
    assert usage is not None
    assert (usage.completion, len(usage.raw)) == (5, 100)


def test_a_reason_is_an_end_without_the_last_event() -> None:
    assert read(message(text("a"))[:-1]).text == "a"


def test_a_cut_stream_is_no_answer() -> None:
    assert failure(*message(text("a"))[:-2]).reason == Reason.TRANSPORT_CLOSED


def test_what_is_no_message_is_none() -> None:
    assert failure({"choices": []}).reason == Reason.UPSTREAM_PROTOCOL
    assert failure("[]").reason == Reason.UPSTREAM_PROTOCOL
    assert failure({"type": "content_block_delta", "delta": 1}).reason == Reason.UPSTREAM_PROTOCOL


def test_unknown_events_and_deltas_are_ignored() -> None:
    new = [{"type": "something"}, {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "x": 1}}]
    start, *rest = content(0, text("a"))
    assert read([opening(), start, *new, *rest, *ending(), "[DONE]"]).text == "a"


def test_deltas_without_a_beginning_are_read_all_the_same() -> None:
    events = [event for event in message(thinking("hm"), text("a")) if "_start" not in event["type"]]
    assert [block.kind for block in read(events).blocks] == ["reasoning", "text"]


def test_halves_of_a_character_in_two_deltas_meet() -> None:
    parts = ({"type": "text_delta", "text": half} for half in ("\ud83d", "\ude00"))
    deltas = [{"type": "content_block_delta", "index": 0, "delta": part} for part in parts]
    assert read([opening(), *deltas, *ending()]).text == "😀"


@pytest.mark.parametrize(
    ("kind", "reason", "refused"),
    [
        ("overloaded_error", Reason.UPSTREAM_BUSY, True),
        ("rate_limit_error", Reason.ACCOUNT_THROTTLED, True),
        ("api_error", Reason.UPSTREAM_INTERNAL, True),
        ("authentication_error", Reason.ACCOUNT_REFUSED, True),
        ("timeout_error", Reason.UPSTREAM_INTERNAL, False),
    ],
)
def test_an_error_before_the_answer_is_a_refusal(kind: str, reason: Reason, refused: bool) -> None:
    error = failure(opening(), {"type": "error", "error": {"type": kind, "message": "no"}})
    assert (error.reason, error.refused) == (reason, refused)


def test_an_error_within_the_answer_is_a_failure() -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error = failure(opening(), *content(0, text("a")), broken)
    assert (error.reason, error.refused) == (Reason.UPSTREAM_INTERNAL, False)


def test_a_whole_message_is_read_as_its_stream() -> None:
    blocks = [thinking("hm"), text("so"), call("add", {"a": [1, 2]}, caller={"type": "direct"})]
    assert opened(read([whole(*blocks, reason="tool_use")])) == blocks
    streamed, at_once = read(message(*blocks, reason="tool_use")), read([whole(*blocks, reason="tool_use")])
    assert (streamed.ended, streamed.usage) == (at_once.ended, at_once.usage)


def test_an_answer_without_an_end_is_too_large() -> None:
    long = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 2_000_000}}
    assert failure(opening(), long, long, long).reason == Reason.TRANSPORT_TOO_BIG


WORDS = st.text(min_size=1, max_size=12).filter(lambda words: words.isprintable())
BLOCKS = st.one_of(
    st.builds(text, WORDS),
    st.builds(thinking, st.text(st.characters(codec="utf-8"), max_size=8), WORDS),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS),
    st.builds(call, st.sampled_from(["add", "now"]), st.dictionaries(WORDS, st.integers(-9, 9) | WORDS, max_size=3)),
    st.builds(lambda query: {"type": "server_tool_use", "id": "s", "name": "web", "input": {"query": query}}, WORDS),
)


@given(st.lists(BLOCKS, max_size=6), st.integers(1, 9), st.integers(1, 200))
def test_any_blocks_in_any_cuts_are_read_back(blocks: list[dict[str, Any]], size: int, step: int) -> None:
    data = encoded(message(*blocks, size=size))
    stream = MessageStream("", ENVELOPES)
    reader = CompletionReader(stream)
    grown: list[Block] = []
    for start in range(0, len(data), step):
        assert reader.feed(data[start : start + step]) is None
        for piece in stream.take():
            add_piece(grown, piece)
    assert reader.end() is None
    assert opened(stream.completion(b"")) == blocks
    assert [to_content(block) for block in grown] == blocks


WORDS = st.sampled_from(["", "a", "\ud83d", "\ude00", '"', "\\", 0, None, {}])
DELTAS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text_delta"] * 5 + ["thinking_delta", "x"]), "text": WORDS},
    optional={"citation": WORDS, "thinking": WORDS},
)
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["content_block_delta"] * 8 + ["content_block_stop", "message_stop", "error"]),
        "index": st.sampled_from([0, 0, 0, 1, None, 0.0, "0"]),
        "delta": DELTAS,
    },
    optional={"error": WORDS, "content_block": st.just({"type": "thinking"})},
)


def seen(events: Sequence[bytes], *, common: bool) -> list[Any]:
    """All that is to be seen of an answer after each of its events."""
    stream, after = MessageStream("", ENVELOPES), list[Any]()
    for event in events:
        try:
            if not stream.done and not (common and stream.read_common(event)):
                stream.read(event.decode(errors="replace"))
        except UpstreamError as error:
            after.append((error.reason, error.detail))
        after.append((stream.take(), stream.size, stream.ended, stream.done))
    stream.end_document()
    try:
        after.append((stream.completion(b""), stream.take()))
    except UpstreamError as error:
        after.append(error.reason)
    return after


@given(st.lists(EVENTS, max_size=6), st.booleans())
def test_an_event_is_read_alike_whether_it_is_taken_for_common_or_not(events: list[Any], is_ascii: bool) -> None:
    encoded = [json.dumps(event, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass") for event in events]
    assert seen(encoded, common=True) == seen(encoded, common=False)


def test_counts_and_sources_without_end_are_left_out() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, **{f"u{number}": "x" * 10**6 for number in range(50)}}
    stream = MessageStream()
    stream.read(json.dumps({"type": "message_start", "message": {"usage": usage}}))
    assert stream._usage == {"input_tokens": 1, "output_tokens": 2}
    citations = [{"url": "https://a/" + "x" * 5000}, {"url": "https://b/", "title": "y" * 10**6}]
    block = {"type": "text", "text": "", "citations": citations}
    stream.read(json.dumps({"type": "content_block_start", "index": 0, "content_block": block}))
    assert [(url, len(title)) for url, title in stream._titles.items()] == [("https://b/", 1000)]
