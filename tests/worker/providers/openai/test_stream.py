import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.worker.openai_server import chunk
from wire.messages import Final, Source, encode
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.openai.normaliser import MAX_ANSWER
from worker.providers.openai.stream import DONE, CompletionStream

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
    "odd", ["{", "[]", "7", '"x"', '{"choices": 7}', '{"choices": [{"delta": {"content": 7}}]}', "[" * 100_000, "\x00"]
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


def test_what_comes_after_the_end_is_not_read() -> None:
    assert read(chunk("a"), END, DONE, chunk("b"), "{").text == "a"


def test_a_text_without_an_end_is_cut_off() -> None:
    half = chunk("x" * (MAX_ANSWER // 2))
    assert failure(half, half, chunk("x")).reason == "transport.toobig"


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
