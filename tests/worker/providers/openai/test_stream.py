import itertools
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.worker.openai_server import chunk
from wire.blocks import Block, add_piece
from wire.messages import Final, Source, encode
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.openai.normaliser import MAX_ANSWER, MOST_FRAGMENTS
from worker.providers.openai.stream import DONE, LONGEST_ADDRESS, LONGEST_TITLE, CompletionStream
from worker.providers.openai.thoughts import ThoughtSplitter

END = chunk(None, "stop")


def read(*chunks: Any) -> Completion:
    completion = CompletionStream()
    for part in chunks:
        completion.read(part if isinstance(part, str) else json.dumps(part))
    completion.read(DONE)
    return completion.completion(b"")


def failure(*chunks: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(*chunks)
    return caught.value


def with_delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def test_the_text_is_the_deltas_of_the_first_choice_added_up() -> None:
    two = {
        "choices": [{"index": 7, "delta": {"content": "he"}}, {"delta": {"content": "x"}, "finish_reason": "length"}]
    }
    ended = read(with_delta(role="assistant", content=""), two, {"choices": []}, {"choices": {}}, chunk("llo"), END)
    assert (ended.text, ended.finish, ended.state) == ("hello", "stop", b"")


def test_thoughts_and_calls_of_tools_are_no_text() -> None:
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "yes"}, {"type": "text"}, 7]
    ended = read(
        with_delta(reasoning_content="hm", content=None),
        with_delta(thinking="hm", tool_calls=[{"index": 0}]),
        with_delta(content=parts),
        END,
    )
    assert ended.text == "yes"


@pytest.mark.parametrize(
    ("report", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("something_new", "stop")],
)
def test_why_it_ended_is_reported(report: str, finish: str) -> None:
    assert read(chunk("a"), chunk(None, report)).finish == finish


def test_halves_of_a_character_in_two_deltas_meet() -> None:
    ended = read(chunk("a \ud83d"), chunk("\ude00"), END)
    assert ended.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le") == "a 😀"


def test_sources_come_in_all_usual_ways_each_once() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "https://a/", "title": "A"}}
    ended = read(
        with_delta(content="x", annotations=[note, {"type": "file_citation", "url": "https://f/"}, 7]),
        {"choices": [{"delta": {}, "message": {"content": "no", "annotations": [{**note, "url_citation": 1}]}}]},
        {"citations": ["https://b/", "https://a/", "javascript:x", 7, {"url": "https://c/", "title": "C"}]},
        {"search_results": [{"url": "https://b/", "title": "B"}, {"title": "none"}, {"url": "http://d/", "title": 1}]},
        END,
    )
    assert ended.urls == (
        Source("A", "https://a/"),
        Source("B", "https://b/"),
        Source("C", "https://c/"),
        Source("http://d/", "http://d/"),
    )


def test_halves_of_characters_beside_the_text_are_dropped() -> None:
    half = "https://a/\ud83d"
    ended = read(chunk("a", citations=[{"url": half, "title": half}], related_questions=[half]), END)
    assert (ended.urls, ended.suggestions) == ((Source("https://a/", "https://a/"),), ("https://a/",))


def test_suggestions_and_counted_tokens_are_passed_on() -> None:
    ended = read(
        chunk("a", related_questions=["b?", 7, ""], usage=None),
        END,
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}},
    )
    assert ended.usage is not None
    assert (ended.suggestions, ended.usage.prompt, ended.usage.completion) == (("b?",), 3, 4)


@pytest.mark.parametrize("usage", [7, {"prompt_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": "x"}, [1]])
def test_tokens_that_are_no_counts_are_left_out(usage: Any) -> None:
    assert read(chunk("a"), chunk(None, "stop", usage=usage)).usage is None


@pytest.mark.parametrize(
    "odd", ["{", "[]", "7", '"x"', '{"choices": 7}', '{"choices": [{"delta": {"content": 7}}]}', "[" * 10_000, "\x00"]
)
def test_what_is_no_chunk_is_a_breach_of_protocol(odd: str) -> None:
    error = failure(chunk("a"), odd)
    assert (error.reason, error.refused) == ("upstream.protocol", False)


@pytest.mark.parametrize(
    ("report", "reason", "refused"),
    [
        ({"error": {"code": "rate_limit_exceeded"}}, "account.throttled", True),
        ({"error": {"code": "context_length_exceeded"}, "choices": []}, "session.toolong", True),
        ({"object": "error", "message": "x", "code": 401}, "account.blocked", True),
        ({"error": "busy"}, "upstream.internal", True),
        ('{"error": "CUDA error: an "illegal" access', "upstream.internal", True),
        ('{"error": "this model\'s maximum context length is "9" tokens"}', "session.toolong", True),
    ],
)
def test_an_error_is_a_refusal_only_before_any_text(report: Any, reason: str, refused: bool) -> None:
    error = failure(with_delta(role="assistant", content=""), report)
    assert (error.reason, error.refused) == (reason, refused)
    error = failure(chunk("a"), report)
    assert (error.reason, error.refused) == ("upstream.internal", False)


def test_either_word_of_the_server_is_the_end_and_neither_is_a_cut() -> None:
    completion = CompletionStream()
    completion.read(json.dumps(chunk("a")))
    with pytest.raises(UpstreamError, match=r"transport\.closed"):
        completion.completion(b"")
    completion.read(json.dumps(chunk(None, "length")))
    assert completion.completion(b"").finish == "length"
    assert read(chunk("a")).finish == "stop"


@pytest.mark.parametrize(
    "beside",
    [
        {"error": {"code": 0, "message": ""}},
        {"error": {}, "errors": [], "detail": ""},
        {"code": 0, "message": "Success", "status": "processing"},
        {"code": 200, "msg": "ok"},
        {"code": "ok", "message": "done", "success": True},
        {"detail": {"queue": 3}},
        {"message": "connected"},
        {"type": "ping"},
    ],
)
def test_a_report_of_no_error_is_none(beside: dict[str, Any]) -> None:
    assert read(beside, {**chunk("a"), **beside}, END).text == "a"


@pytest.mark.parametrize("word", ["error", "Abort", "timeout", "cancelled", "network_error"])
def test_an_answer_that_the_server_breaks_off_is_none(word: str) -> None:
    assert failure(chunk("a"), chunk(None, word)).reason == "upstream.internal"


def test_a_text_without_an_end_is_cut_off() -> None:
    half = chunk("x" * (MAX_ANSWER // 2))
    assert failure(half, half, chunk("x")).reason == "transport.toobig"
    held = CompletionStream(thoughts=ThoughtSplitter())
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        held.read(json.dumps(chunk("\x01" * (MAX_ANSWER // 5))))


def sealed(extra: Mapping[str, Any]) -> dict[str, Any]:
    return dict(extra)


def read_all(*chunks: Any, word: str = "stop") -> Completion:
    """Return an answer with its extra fields."""
    completion = CompletionStream(seal=sealed)
    for part in chunks:
        completion.read(json.dumps(part))
    completion.read(json.dumps(chunk(None, word)))
    ended = completion.completion(b"")
    blocks: list[Block] = []
    for piece in completion.take():
        add_piece(blocks, piece)
    assert blocks == list(ended.blocks or ([Block("text", ended.text)] if ended.text else []))
    return ended


CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
CALLED = Block("tool_call", '{"a":1}', "c", "add")


@pytest.mark.parametrize(
    ("deltas", "blocks"),
    [
        # One text in two fields
        ([{"reasoning_content": "h", "reasoning": "h"}, {"reasoning": "m"}], [Block("reasoning", "hm")]),
        (
            [{"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, {"content": "a"}],
            [
                Block("reasoning", "hm", extra={"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
                Block("text", "a"),
            ],
        ),
        # In the order in which models answer
        (
            [{"tool_calls": [CALL], "content": "a", "reasoning_content": "hm"}],
            [Block("reasoning", "hm"), Block("text", "a"), CALLED],
        ),
        (
            [
                {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                        {"type": "text", "text": "a"},
                    ]
                }
            ],
            [Block("reasoning", "hm"), Block("text", "a")],
        ),
        (
            [{"content": [{"type": "reference", "ids": [1]}]}],
            [Block("opaque", extra={"content_parts": [{"type": "reference", "ids": [1]}]})],
        ),
        ([{"refusal": "I "}, {"refusal": "won't."}], [Block("refusal", "I won't.")]),
        (
            [{"function_call": {"name": "add", "arguments": ""}}, {"function_call": {"arguments": '{"a":1}'}}],
            [Block("tool_call", '{"a":1}', "made", "add")],
        ),
        (
            [{"content": "a", "extra_content": {"google": {"thought_signature": "s"}}, "audio": None, "x": []}],
            [Block("text", "a", extra={"extra_content": {"google": {"thought_signature": "s"}}})],
        ),
        (
            [{"role": "assistant", "images": [{"type": "image_url"}]}],
            [Block("opaque", extra={"images": [{"type": "image_url"}]})],
        ),
        (
            [{"annotations": [{"type": "file", "id": "f"}]}],
            [Block("opaque", extra={"annotations": [{"type": "file", "id": "f"}]})],
        ),
        # Some servers have them in each fragment
        (
            [{"tool_calls": [CALL]}, {"tool_calls": [{"index": 0, "function": {"name": "add"}, "x": "y"}]}],
            [Block("tool_call", '{"a":1}', "c", "add", extra={"x": "y"})],
        ),
    ],
)
def test_each_field_becomes_a_block(deltas: list[dict[str, Any]], blocks: list[Block]) -> None:
    ended = read_all(*(with_delta(**delta) for delta in deltas))
    found = [
        msgspec.structs.replace(block, id="made") if "function_call" in deltas[0] else block for block in ended.blocks
    ]
    assert found == blocks


def test_the_whole_text_of_an_end_behind_nothing_but_thoughts_is_the_answer() -> None:
    thought = with_delta(reasoning_content="Hm.")
    end = {"choices": [{"index": 0, "message": {"content": "42"}, "finish_reason": "stop"}]}
    assert read(thought, end, DONE).text == "42"


def test_a_whole_completion_is_read_like_its_parts() -> None:
    message = {"role": "assistant", "content": "a", "reasoning_content": "hm", "tool_calls": [CALL], "refusal": None}
    ended = read_all({"choices": [{"message": message, "finish_reason": "tool_calls", "logprobs": {"content": [1]}}]})
    assert ended.blocks == (
        Block("reasoning", "hm"),
        Block("text", "a", extra={"logprobs": {"content": [1]}}),
        CALLED,
    )


def test_a_message_behind_the_deltas_adds_only_what_they_lack() -> None:
    message = {"content": "ab", "reasoning": "hm", "tool_calls": [CALL], "x": 1}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert read_all(with_delta(reasoning="hm"), with_delta(content="a"), whole).blocks == (
        Block("reasoning", "hm"),
        Block("text", "ab"),
        CALLED,
    )
    assert read_all(with_delta(tool_calls=[CALL]), whole).blocks[0] == CALLED


def test_probabilities_belong_to_their_text() -> None:
    chunks = [
        {"choices": [{"delta": {"content": text}, "logprobs": {"content": [{"token": text}], "refusal": None}}]}
        for text in ("a", "b")
    ]
    ended = read_all(*chunks)
    logprobs = {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}
    assert ended.blocks == (Block("text", "ab", extra={"logprobs": logprobs}),)


@pytest.mark.parametrize(
    ("delta", "word", "finish", "ended"),
    [
        ({"tool_calls": [CALL]}, "stop", "stop", "tool_calls"),
        ({"tool_calls": [CALL]}, "tool_calls", "stop", "tool_calls"),
        ({"content": "a"}, "tool_calls", "stop", ""),
        ({"content": "a"}, "end_turn", "stop", ""),
        ({"refusal": "no"}, "stop", "stop", "refusal"),
        ({"content": "a"}, "refusal", "content_filter", "refusal"),
        ({"tool_calls": [CALL]}, "length", "length", ""),
    ],
)
def test_the_end_is_known_by_the_word_and_by_what_came(
    delta: dict[str, Any], word: str, finish: str, ended: str
) -> None:
    completion = read_all(with_delta(**delta), word=word)
    assert (completion.finish, completion.ended, completion.finish_raw) == (finish, ended, word)


def test_a_call_that_is_cut_by_the_length_is_none() -> None:
    half = {**CALL, "function": {"name": "add", "arguments": '{"a'}}
    completion = CompletionStream()
    for part in (with_delta(content="a"), with_delta(tool_calls=[half]), chunk(None, "length")):
        completion.read(json.dumps(part))
    ended = completion.completion(b"")
    assert (ended.text, ended.blocks, ended.ended) == ("a", (), "")


def test_what_is_beside_the_choices_goes_along_once() -> None:
    beside = {"citations": ["https://a/"], "system_fingerprint": "f", "service_tier": None, "provider": "P"}
    ended = read_all({**chunk("a"), **beside, "id": "x", "obfuscation": "x"}, {**chunk("b"), **beside, "provider": "Q"})
    assert ended.extra == {"citations": ["https://a/"], "system_fingerprint": "f", "provider": "Q"}
    assert ended.blocks == ()
    huge = read_all({**chunk("a"), "x": "y" * 100_000, "z": 1})
    assert huge.extra == {}


def test_without_a_prompt_there_are_no_extra_fields() -> None:
    ended = read(with_delta(content="a", x=1, tool_calls=[{**CALL, "y": 1}]), {**chunk("b"), "z": 1}, END)
    assert (ended.extra, ended.blocks) == ({}, (Block("text", "a"), CALLED, Block("text", "b")))


def rendered(block: Block, number: int, text: str, *, first: bool) -> dict[str, Any]:
    """Return a delta with a part of a block."""
    extra = block.extra if first else {}
    match block.kind:
        case "tool_call":
            head = {"id": block.id, "type": "function", **extra} if first else {}
            function = {**({"name": block.name} if first else {}), "arguments": text}
            return {"tool_calls": [{"index": number, **head, "function": function}]}
        case "reasoning":
            return {"reasoning_content": text, **extra}
        case "refusal":
            return {"refusal": text, **extra}
    return {"content": text, **extra}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
FIELDS = st.dictionaries(st.sampled_from(["x", "y"]), st.text(min_size=1, max_size=2), max_size=1)
BLOCKS = st.lists(
    st.builds(Block, st.sampled_from(["text", "reasoning", "refusal"]), TEXTS, extra=FIELDS)
    | st.builds(
        Block,
        st.just("tool_call"),
        st.dictionaries(TEXTS, TEXTS, max_size=2).map(json.dumps),
        st.uuids().map(str),
        st.just("add"),
        extra=FIELDS,
    ),
    max_size=6,
)


MERGES: st.SearchStrategy[Any] = st.booleans()


@given(BLOCKS, st.data())
def test_the_blocks_of_an_answer_are_those_that_were_rendered(sent: list[Block], data: st.DataObject) -> None:
    blocks = [block for number, block in enumerate(sent) if not number or not joins(sent[number - 1], block)]
    chunks: list[dict[str, Any]] = []
    for number, block in enumerate(blocks):
        cuts = data.draw(st.lists(st.integers(0, len(block.text)), max_size=3))
        places = sorted({0, len(block.text), *cuts})
        texts = [block.text[start:stop] for start, stop in itertools.pairwise(places)]
        chunks += [with_delta(**rendered(block, number, text, first=not place)) for place, text in enumerate(texts)]
    # Several chunks at once, as some servers and proxies send them.
    merged: list[Any] = []
    for one in chunks:
        if merged and data.draw(MERGES):
            merged[-1] = [*(merged[-1] if isinstance(merged[-1], list) else [merged[-1]]), one]
        else:
            merged.append(one)
    ended = read_all(*merged)
    assert list(ended.blocks or ([Block("text", ended.text)] if ended.text else [])) == blocks


def joins(first: Block, second: Block) -> bool:
    return first.kind == second.kind != "tool_call"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["url", "title", "type", "url_citation", "prompt_tokens", "completion_tokens", "code"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
EXTRAS = ["annotations", "citations", "search_results", "related_questions", "usage", "error", "object"]


@given(st.dictionaries(st.sampled_from(EXTRAS), JSON))
def test_whatever_a_chunk_has_besides_an_answer_can_be_passed_on(extras: dict[str, Any]) -> None:
    notes = {"annotations": extras.pop("annotations", None)}
    try:
        ended = read({"choices": [{"delta": {"content": "a", **notes}, "finish_reason": "stop"}], **extras})
    except UpstreamError:
        return
    encode(Final(text=ended.text, urls=ended.urls, suggestions=ended.suggestions, usage=ended.usage))


def test_sources_with_endless_addresses_are_left_out_and_endless_titles_cut() -> None:
    sources = [{"url": "https://a/" + "x" * LONGEST_ADDRESS, "title": "a"}, {"url": "https://b/", "title": "y" * 10**6}]
    assert read(chunk("a", search_results=sources), END).urls == (Source("y" * LONGEST_TITLE, "https://b/"),)


@pytest.mark.parametrize("start", [chunk("a" * 1000), {"choices": [{"message": "a" * 1000, "finish_reason": "stop"}]}])
def test_short_messages_beside_a_long_text_dont_join_it_each_time(
    start: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []

    def text(stream: CompletionStream) -> str:
        joined.append(1)
        return stream._answer.text

    monkeypatch.setattr(CompletionStream, "text", property(text))
    read(start, *[{"choices": [{"message": {"content": "b"}}]}] * 100, END)
    assert len(joined) <= 2


def test_a_calls_place_of_thousands_of_digits_is_none() -> None:
    entry = {"index": "9" * 5000, "id": "c", "function": {"name": "now", "arguments": "{}"}}
    assert [block.name for block in read(with_delta(tool_calls=[entry]), END).blocks] == ["now"]


def test_as_many_parts_of_calls_as_no_server_sends_at_once_are_no_answer() -> None:
    assert failure(with_delta(tool_calls=[{}] * (MOST_FRAGMENTS + 1))).reason == "transport.toobig"
    assert failure(*[with_delta(tool_calls=[{}] * 100)] * 1000).reason == "transport.toobig"
    calls = [{**CALL, "index": number, "id": f"c{number}"} for number in range(MOST_FRAGMENTS)]
    assert len(read(with_delta(tool_calls=calls), END).blocks) == MOST_FRAGMENTS
    assert read(*[with_delta(tool_calls=[CALL])], *[with_delta(tool_calls=[{"index": 0}])] * 9999, END).blocks == (
        CALLED,
    )
