"""Server-sent events as EventSource reads them."""

from io import BytesIO

from bench.scenario.event_stream import EventStream


def test_an_event_is_its_lines_of_data() -> None:
    assert list(EventStream().events(BytesIO(b": ping\n\ndata: a\n\ndata:b\ndata: c\n\n"))) == [b"a", b"b\nc"]


def test_what_is_cut_off_is_left_out_and_its_id_does_not_count() -> None:
    stream = EventStream()
    assert list(stream.events(BytesIO(b"id: 1\ndata: a\n\nid: 2\ndata: b\n"))) == [b"a"]
    assert stream.last_id == "1"


def test_an_id_without_data_counts() -> None:
    stream = EventStream()
    assert list(stream.events(BytesIO(b"retry: 1\nid: 7\n\n"))) == []
    assert stream.last_id == "7"


def test_the_next_connection_begins_anew_and_keeps_the_id() -> None:
    stream = EventStream()
    list(stream.events(BytesIO(b"id: 1\ndata: a\n\ndata: b")))
    assert list(stream.events(BytesIO(b"data: c\n\n"))) == [b"c"]
    assert stream.last_id == "1"
