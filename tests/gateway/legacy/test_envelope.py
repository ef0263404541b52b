"""The bytes that clients get."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy import envelope
from wire.messages import Source

URLS = (Source("标题", "https://example.org"),)
WHOLE = (
    '{"code": 200, "message": "success", "data": {"answer": "你\\n\\"好\\"", '
    '"urls": [{"title": "标题", "url": "https://example.org"}], "done": true, "reset": false, "token": "t"}}'
)


def test_an_answer_has_its_keys_in_order_and_text_as_utf8() -> None:
    assert envelope.answer('你\n"好"', URLS, done=True, reset=False, token="t") == WHOLE.encode()


def test_done_is_only_there_when_streaming_and_token_only_for_who_has_one() -> None:
    expected = b'{"code": 200, "message": "success", "data": {"answer": "a", "urls": [], "reset": true}}'
    assert envelope.answer("a", (), reset=True, token=None) == expected


def test_an_error_is_code_and_message() -> None:
    assert envelope.error(120, "token不存在") == '{"code": 120, "message": "token不存在"}'.encode()


def test_pictures_are_a_list_of_addresses() -> None:
    expected = b'{"code": 200, "message": "success", "data": ["https://a/1", "https://a/2"]}'
    assert envelope.images(("https://a/1", "https://a/2")) == expected


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    assert json.loads(envelope.error(500, "\ud83d")) == {"code": 500, "message": "?"}
    assert json.loads(envelope.DeltaFrames(None).frame("a\udc00"))["data"]["answer"] == "a?"


@given(st.text(), st.none() | st.from_regex(r"[\w-]{1,64}", fullmatch=True))
def test_a_delta_frame_is_an_unfinished_answer(text: str, token: str | None) -> None:
    made = envelope.DeltaFrames(token).frame(text)
    assert made == envelope.answer(text, (), done=False, reset=False, token=token)
    assert json.loads(made)["data"]["answer"] == text
