from emulator import received_request
from emulator.received_request import MOST_TEXT, describe
from emulator.sent_pictures import SentPicture


def test_what_was_asked_for_is_kept_as_it_came() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [1], "seed": 7, "extra": {"a": 1}}
    request = describe(body, {}, [SentPicture("", "image/png", 70)])
    assert (request.messages, request.tools) == (body["messages"], [1])
    assert request.parameters == {"seed": 7, "extra": {"a": 1}}
    assert request.pictures == [{"media_type": "image/png", "bytes": 70, "url": ""}]


def test_headers_are_kept_but_no_keys() -> None:
    headers = {"User-Agent": "x", "Authorization": "Bearer k", "X-API-Key": "k", "X-Session-ID": "s", "Cookie": "c"}
    assert describe({}, headers, []).headers == {"user-agent": "x", "x-session-id": "s"}


def test_long_texts_are_cut_and_old_messages_left_out() -> None:
    long = "x" * (MOST_TEXT + 1)
    listed = received_request.newest([{"content": long}] * 200)
    assert listed[-1]["content"] == f"{'x' * MOST_TEXT}… [{MOST_TEXT + 1} characters]"
    assert len(listed) < 60
