"""The bytes that clients get."""

import json

from gateway.legacy import envelope
from wire.messages import Final, Source

URLS = (Source("标题", "https://example.org"),)
WHOLE = (
    '{"code": 200, "message": "success", "data": {"answer": "你\\n\\"好\\"", '
    '"urls": [{"title": "标题", "url": "https://example.org"}], "done": true, "reset": false, "token": "t"}}'
)


def test_an_answer_has_its_keys_in_order_and_text_as_utf8() -> None:
    assert envelope.encode_answer('你\n"好"', URLS, done=True, reset=False, token="t") == WHOLE.encode()


def test_done_is_only_there_when_streaming_and_token_only_for_who_has_one() -> None:
    expected = b'{"code": 200, "message": "success", "data": {"answer": "a", "urls": [], "reset": true}}'
    assert envelope.encode_answer("a", (), reset=True, token=None) == expected


def test_pictures_are_a_list_of_addresses() -> None:
    expected = b'{"code": 200, "message": "success", "data": ["https://a/1", "https://a/2"]}'
    assert envelope.encode_images(("https://a/1", "https://a/2")) == expected


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    assert envelope.encode_text("a\udc00") == b'"a?"'


def test_an_answer_outside_a_stream_has_no_done() -> None:
    found = json.loads(envelope.encode_final(Final("a", reset=True), None, streaming=False))
    assert found["data"] == {"answer": "a", "urls": [], "reset": True}
