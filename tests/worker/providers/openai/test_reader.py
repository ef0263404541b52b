import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.worker.openai_server import chunk, events, whole
from worker.errors import UpstreamError
from worker.providers.anthropic.message_stream import MessageStream
from worker.providers.openai.reader import CompletionReader, GrowingAnswer
from worker.providers.openai.stream import CompletionStream
from worker.providers.value_budget import MOST_OF_EVENT, MOST_VALUES

COMPLETION = {
    "object": "chat.completion",
    "choices": [{"message": {"content": "héllo [^1^]"}, "finish_reason": "stop"}],
}
LINES = [json.dumps(one) for one in (chunk("héllo"), chunk(" [^1^]"), chunk(None, "stop"))]
BODIES = [
    whole("héllo", " [^1^]"),
    b"\xef\xbb\xbf: hi\r\n\r\n" + whole("héllo", " [^1^]").replace(b"\n", b"\r\n"),
    b"\nid: 7\n" + events(chunk("héllo"), chunk(" [^1^]", "stop")),
    events(chunk("héllo [^1^]"), chunk(None, "stop")) + b"data: {\n\ndata: 7\n\n",
    json.dumps(COMPLETION, ensure_ascii=False).encode(),
    b"\xef\xbb\xbf \n" + json.dumps(COMPLETION, indent=2).encode() + b"\n",
    "\n".join(LINES).encode(),
    "\r\n".join([*LINES, "[DONE]", ""]).encode(),
    f"[{', '.join(LINES)}]".encode(),
]


def read(pieces: list[bytes], content_type: str = "") -> tuple[str, UpstreamError | None]:
    """Return the text that the pieces of a body add up to, and how it failed."""
    completion = CompletionStream()
    reader = CompletionReader(completion, content_type)
    for piece in pieces:
        if (error := reader.feed(piece)) is not None:
            return completion.text, error
    error = reader.end()
    if error is None:
        try:
            completion.completion(b"")
        except UpstreamError as failed:
            error = failed
    return completion.text, error


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(body)) for place in cuts} | {0, len(body)})
    return [body[start:stop] for start, stop in itertools.pairwise(places)]


CUTS = st.lists(st.integers(0, 700), max_size=12)
LABELS = st.sampled_from(["", "application/json", "text/plain", "text/event-stream; charset=utf-8"])


@given(st.sampled_from(BODIES), CUTS, LABELS)
def test_however_the_bytes_are_cut_and_labelled_the_text_is_the_same(body: bytes, cuts: list[int], label: str) -> None:
    assert read(cut(body, cuts), label) == ("héllo [^1^]", None)


@pytest.mark.parametrize("body", BODIES)
def test_single_bytes_are_read_like_the_whole(body: bytes) -> None:
    assert read([bytes([byte]) for byte in body]) == ("héllo [^1^]", None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "text", "type", "finish_reason", "index", "error", "object"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
NOISE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"data: ", b"\n\n", b"\r", b"{", b"[", b"<", b"[DONE]", b": x\n", b"\xef\xbb\xbf", b"\xff"]),
    JSON.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
    JSON.map(lambda value: json.dumps(value).encode() + b"\n"),
    JSON.map(lambda value: b"data: " + json.dumps({"choices": [{"delta": value}]}).encode() + b"\n\n"),
    JSON.map(lambda value: json.dumps({"choices": [value]}, indent=1).encode()),
    st.sampled_from([events(chunk("a")), events(chunk("b", "stop"))]),
)


@given(st.lists(NOISE, max_size=6), CUTS, LABELS)
def test_whatever_comes_it_is_a_text_or_one_error_wherever_it_is_cut(
    noise: list[bytes], cuts: list[int], label: str
) -> None:
    body = b"".join(noise)
    text, error = read([body], label)
    other_text, other_error = read(cut(body, cuts), label)
    assert other_text == text
    assert (error and error.reason) == (other_error and other_error.reason)


@pytest.mark.parametrize("body", [b"<html></html>", b"\n <!doctype html>"])
@pytest.mark.parametrize("label", ["text/plain", "text/event-stream"])
def test_a_page_is_a_refusal_by_what_is_in_front_of_the_server(body: bytes, label: str) -> None:
    text, error = read([body], label)
    assert error is not None
    assert (text, error.reason, error.refused) == ("", "account.blocked", True)


@pytest.mark.parametrize("body", [b"upstream error", b"", b"dat"])
def test_what_is_neither_events_nor_json_is_a_breach_of_protocol(body: bytes) -> None:
    text, error = read([body], "text/plain")
    assert error is not None
    assert (text, error.reason) == ("", "upstream.protocol")


def test_an_empty_event_stream_is_a_cut() -> None:
    _, error = read([], "text/event-stream")
    assert error is not None
    assert error.reason == "transport.closed"


@pytest.mark.parametrize("odd", ["{", "[1]", "7", {"error": "x"}, {"choices": "x"}, chunk(None, "error")])
def test_oddities_behind_the_end_undo_nothing_and_hide_nothing(odd: Any) -> None:
    data = odd if isinstance(odd, str) else json.dumps(odd)
    body = events(chunk("a", "stop")) + f"data: {data}\n\n".encode() + events(chunk("b")) + b"data: [DONE]\n\n"
    assert read([body]) == ("ab", None)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_endless_white_space_ahead_of_an_answer_is_not_kept(start: bytes) -> None:
    completion = CompletionStream()
    reader = CompletionReader(completion)
    assert reader.feed(start) is None
    for _ in range(100):
        assert reader.feed(b" \n" * 1000) is None
    assert reader._head == start
    assert reader.feed(whole("hello")) is None
    assert completion.text == "hello"


@pytest.mark.parametrize(
    ("body", "idle"),
    [
        (b": hi\n\n" * 9, 18),
        (b"\r" * 9 + b": hi\n", 9),
        (events(chunk("a")) + b"{}\n" * 9 + b"\n", 6),
        (json.dumps(chunk("a")).encode() + b"{}" * 9, 18),
        (json.dumps(chunk("a"), indent=0).encode(), 0),
        (events(chunk("a"), *[chunk("b")] * 50), 0),
    ],
)
def test_lines_and_documents_that_bring_nothing_are_counted(body: bytes, idle: int) -> None:
    reader = CompletionReader(CompletionStream())
    assert reader.feed(body) is None
    assert reader.idle == idle


def test_events_that_are_read_quickly_count_if_they_bring_nothing() -> None:
    reader = CompletionReader(CompletionStream())
    for body in (events(chunk("a")), events(*[chunk("b")] * 9), b"data: {}\n\n" * 9):
        assert reader.feed(body) is None
    assert reader.idle == 18


def test_what_comes_after_the_end_is_not_read() -> None:
    assert read([whole("a"), events(chunk("b")), b"data: {\n\n"]) == ("a", None)


def failure(answer: GrowingAnswer, *bodies: bytes) -> str | None:
    """Return for what reason reading these bytes fails."""
    reader = CompletionReader(answer)
    error = next(filter(None, map(reader.feed, bodies)), None) or reader.end()
    return error.reason if error else None


@pytest.mark.parametrize(
    ("answer", "event"),
    [(CompletionStream, chunk("a")), (MessageStream, {"type": "message", "content": []})],
    ids=["openai", "anthropic"],
)
def test_an_event_of_very_many_values_is_no_answer_and_a_document_of_many_is(
    answer: Callable[[], GrowingAnswer], event: dict[str, Any]
) -> None:
    """Each would be looked at several times, and the worker serves nobody else meanwhile."""
    assert failure(answer(), events(event | {"x": [0] * MOST_OF_EVENT})) == "transport.toobig"
    assert failure(answer(), events(event | {"x": [0] * (MOST_OF_EVENT - 100)})) is None
    assert failure(answer(), json.dumps(event | {"x": [0] * 300_000}).encode()) is None
    assert failure(answer(), json.dumps(event | {"x": [0] * (MOST_VALUES + 1)}).encode()) == "transport.toobig"


@pytest.mark.parametrize(
    "event",
    [
        chunk("a") | {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "x": [{}] * 9000}},
        chunk("") | {"x": [{}] * 9000},
        [{}] * 9000,
        {"choices": [{"index": 0, "delta": {"content": [{"text": ""}] * 5000}}]},
    ],
    ids=["usage", "fields", "chunks", "parts"],
)
def test_the_values_of_all_events_together_are_bounded(event: Any) -> None:
    assert failure(CompletionStream(), events(event)) is None
    assert failure(CompletionStream(), *[events(event)] * 50) == "transport.toobig"


def test_lines_of_an_event_that_brings_text_do_not_count_as_idle() -> None:
    reader = CompletionReader(CompletionStream())
    lines = json.dumps(chunk("a"), indent=1).splitlines()
    for _ in range(100):
        assert reader.feed("".join(f"data: {line}\n" for line in [*lines, ""]).encode()) is None
    assert reader.idle < 2 * len(lines)
