"""The bytes that clients get."""

import json

from gateway.legacy import envelope
from wire.answers import Progress, QueuePosition
from wire.blocks import Block
from wire.messages import Failed, Final, Source, TurnCount

URLS = (Source("标题", "https://example.org"),)
BLOCKS = (Block("reasoning", "hm"), Block("text", "你"), Block("tool_call", "x", "c1", "f", custom=True))
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
    body = json.loads(envelope.encode_final(Final("a", reset=True), None, streaming=False))
    assert body["data"] == {"answer": "a", "urls": [], "reset": True}


def test_the_state_of_an_answer_has_all_its_fields_in_order() -> None:
    end = Final("你", URLS, suggestions=("why?",), turns=TurnCount(1, 30), images=("i",))
    done = Progress("t", 4, "你", "done", end, provider="p", model="m", blocks=BLOCKS)
    assert envelope.encode_progress("s0-0a", done, english=False).decode() == (
        '{"code": 200, "message": "success", "data": {"answer": "s0-0a", "token": "t", "state": "done", '
        '"position": null, "wait": null, "seq": 4, "text": "你", '
        '"urls": [{"title": "标题", "url": "https://example.org"}], "images": ["i"], "suggestions": ["why?"], '
        '"turns": {"used": 1, "limit": 30}, "reset": false, "error": null, "provider": "p", '
        '"model": "m", "reasoning": "hm", "refusal": "", '
        '"tool_calls": [{"id": "c1", "name": "f", "arguments": "x", "custom": true}], "usage": null}}'
    )


def test_the_state_of_an_answer_that_waits_or_failed_has_them_too() -> None:
    queued = Progress("t", 0, "", "queued", position=QueuePosition(3, 12))
    assert b'"position": 3, "wait": 12, "seq": 0' in envelope.encode_progress("s0-0a", queued, english=False)
    failed = Progress("t", 2, "a\udc00", "failed", Failed("account.throttled", "a", retry_after=7200))
    assert envelope.encode_progress("s0-0a", failed, english=False).decode() == (
        '{"code": 200, "message": "success", "data": {"answer": "s0-0a", "token": "t", "state": "failed", '
        '"position": null, "wait": null, "seq": 2, "text": "a?", "urls": [], "images": [], "suggestions": [], '
        '"turns": null, "reset": true, "error": {"code": 120, "message": "已上限,24小时后尝试", '
        '"reason": "account.throttled", "retry_after": 7200}, "provider": null, '
        '"model": null, "reasoning": "", "refusal": "", "tool_calls": [], "usage": null}}'
    )


def test_an_answer_without_text_is_a_failure_where_nothing_but_text_is_shown() -> None:
    calls = Final("", blocks=(Block("tool_call", "{}", "c1", "f"),), provider="server", reset=True)
    assert envelope.require_text(calls) == Failed("answer.textless", reset=True, provider="server")
    refusal = Final("", blocks=(Block("reasoning", "hm"), Block("refusal", "no")))
    assert envelope.require_text(refusal) == Failed("question.refused", reset=False)
    assert envelope.require_text(Final("", finish="length")) == Failed("answer.empty", reset=False)
    for whole in (
        Final("", stopped=True),
        Final("", stopped=True, finish="length"),
        Final("a", finish="length"),
        Final("", images=("i",)),
        Final("a", blocks=(Block("reasoning", "hm"), Block("text", "a"))),
        Failed("interrupted"),
    ):
        assert envelope.require_text(whole) == whole
