import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.errors import UpstreamError
from worker.providers.openai import sse
from worker.providers.openai.sse import MAX_EVENT, MOST_IN_VAIN, VAIN_BYTES, EventParser


def read(*pieces: bytes) -> list[str]:
    events = EventParser()
    return [data for piece in pieces for data in events.feed(piece)] + list(events.end())


TEXTS = st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1), max_size=5)


@given(TEXTS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_however_the_bytes_are_cut_the_events_are_the_same(
    texts: list[str], end: str, cuts: list[int], noise: bool
) -> None:
    lines = [line for text in texts for line in ([": a comment", "id: 7"] if noise else []) + [f"data: {text}", ""]]
    body = "".join(line + end for line in lines).encode()
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    pieces = [body[start:stop] for start, stop in itertools.pairwise(places)]
    assert read(*pieces) == texts


PLAIN = st.sampled_from(
    [
        b'data: {"a":1}\n\n',
        b'event: delta.x_y\ndata: {"b":"}\xff"}\n\n',
        b"data: {}\n\n",
        b"data: {\n\n",
        b"data:{}\n\n",
        b"data: {}\r\n\r\n",
        b"event: error\ndata: {}\n\n",
        b"event: Error\ndata: {}\n\n",
        b"event: errors\ndata: {}\n\n",
        b"data: {}\n",
        b"data: }\n\n",
        b": ping\n\n",
        b"data: [DONE]\n\n",
        b"event: error\n",
        b"x",
        b"\n",
    ]
)


@given(st.lists(st.lists(PLAIN, min_size=1, max_size=3), max_size=6))
@example([[b"data: {}\n\n"], [b"event: error\ndata: {}\n\n"]])
@example([[b"data: {}\n\n"], [b'data: {"a":\r1}\n\n']])
@example([[b"data: {}\n\n"], [b"event: x\n"], [b"data: {}\n\n"]])
def test_plain_events_are_those_that_are_read_with_care(parts: list[list[bytes]]) -> None:
    careful, quick = EventParser(), EventParser()
    for chunk in map(b"".join, parts):
        plain = quick.split_plain(chunk)
        texts = list(quick.feed(chunk)) if plain is None else [data.decode(errors="replace") for data in plain]
        assert texts == list(careful.feed(chunk))
    assert list(quick.end()) == list(careful.end())


def test_what_nearly_all_servers_send_is_plain() -> None:
    events = EventParser()
    assert events.split_plain(b"data: {}\n\n") is None
    assert list(events.feed(b"data: {}\n\n")) == ["{}"]
    assert events.split_plain(b'data: {"a":1}\n\nevent: message_delta\ndata: {}\n\n') == [b'{"a":1}', b"{}"]


def test_an_event_of_several_lines_is_one() -> None:
    assert read(b"data: a\r", b"\ndata:b\r\n", b"data\r\n\r\ndata: c\n\n") == ["a\nb\n", "c"]


def test_events_without_data_are_none_and_a_mark_at_the_start_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbfdata: a\n\n\n\nevent: x\n\n: ping\n\nid: 1\ndata:\n\nfoo: bar\n\n") == ["a"]


def test_an_error_event_has_its_data_inside_an_object() -> None:
    named = (
        b'event: error\ndata: {"message":"a"}\n\nevent: Error\ndata: b\n\nevent: error\ndata: {"error":{"code":1}}\n\n'
    )
    assert [json.loads(data) for data in read(named)] == [
        {"error": {"message": "a"}},
        {"error": "b"},
        {"error": {"code": 1}},
    ]


def test_an_object_ends_an_event_where_the_next_begins_without_an_empty_line() -> None:
    events = EventParser()
    assert list(events.feed(b'data: {"a":\ndata: 1}\ndata: {"b": 2}\n')) == ['{"a":\n1}']
    assert list(events.feed(b"event: error\ndata: c\n")) == ['{"b": 2}']
    assert list(events.feed(b"\ndata: d\ndata: e\n\n")) == ['{"error":"c"}', "d\ne"]


def test_a_name_behind_the_data_is_that_events_own() -> None:
    assert read(b'data: {"code":1}\nid: 7\nevent: error\n\ndata: {"b": 2}\n\n') == ['{"error":{"code":1}}', '{"b": 2}']


def test_an_event_that_the_end_cuts_off_is_reported_only_at_the_end() -> None:
    events = EventParser()
    assert list(events.feed(b"data: a")) == []
    assert list(events.end()) == ["a"]


@pytest.mark.parametrize("piece", [b"x" * 65536, b"data: " + b"x" * 65536 + b"\n", b": ping\n" * 9000])
def test_what_never_becomes_an_event_is_cut_off(piece: bytes) -> None:
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        read(*itertools.repeat(piece, MAX_EVENT // len(piece) + 1))


def test_any_number_of_events_is_fine() -> None:
    events = EventParser()
    for _ in range(100):
        assert len(list(events.feed(b"data: " + b"x" * 65536 + b"\n\n"))) == 1
        assert list(events.feed(b": ping\n\n" * 9000)) == []


def read_on(events: EventParser, piece: bytes) -> None:
    """Feed a piece again and again, of which no event comes."""
    while True:
        assert list(events.feed(piece)) == []


@pytest.mark.parametrize("line", [b"data: }\n", b"data: {}\n"])
def test_lines_that_end_like_an_object_are_looked_at_in_vain_only_so_often(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(sse, "_is_json", lambda text: looked.append(len(text)))
    events = EventParser()
    with pytest.raises(UpstreamError):
        read_on(events, b'data: {"a":"\n' + line * 1000)
    assert sum(looked) < MOST_IN_VAIN + MAX_EVENT


JSON_LIKE = st.lists(st.sampled_from([*'{}[]",: \n\\u0-1.eE\x01', "d8", "true", "NaN", '"a":1']), max_size=9).map(
    "".join
)


@given(JSON_LIKE.map('{{"a":{}}}'.format) | JSON_LIKE)
@example('{"a":NaN}')
@example('{"a":"\n"}')
@example('{"a":"\\ud800"}')
def test_an_object_is_whole_if_it_can_be_read(text: str) -> None:
    try:
        json.loads(text, strict=False)
        whole = True
    except ValueError:
        whole = False
    assert sse._is_json(text) is whole


def test_an_event_after_one_that_was_looked_at_in_vain_ends_where_the_next_begins() -> None:
    events = EventParser()
    assert len(list(events.feed(b"data: [\n" + b"data: {}\n" * 5000 + b"\n"))) == 1
    assert list(events.feed(b'data: {"a":1}\ndata: {"b":2}\n')) == ['{"a":1}']


def test_looks_in_vain_are_bounded_for_all_events_together(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def look(text: str) -> bool:
        looked.append(len(text))
        return False

    monkeypatch.setattr(sse, "_is_json", look)
    parser, event, count = EventParser(), b'data: {"a":[\n' + b"data: {},{}\n" * 2000 + b"\n", 20
    assert len([data for _ in range(count) for data in parser.feed(event)]) == count
    assert sum(looked) < MOST_IN_VAIN + (VAIN_BYTES + 1) * count * len(event)
