"""/v1/messages over real connections."""

import json
from typing import Any

import pytest

from gateway.answering.timings import Timings
from tests.support.gateway.anthropic_client import MESSAGES, ask, events_of, fold_events
from tests.support.gateway.harness import RunningGateway, closing_gate, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.blocks import Block, Piece
from wire.messages import Delta, Failed, Final, Prompted, Replace, Source, Usage
from wire.prompt import Prompt
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

EVENTS = {"accept": "text/event-stream"}
KEY = {"Idempotency-Key": "0123456789abcdef"}
FAILED = Failed("interrupted")
PIECES = (
    Delta(
        "", model="served", pieces=(Piece(0, "reasoning", "h"), Piece(0, "reasoning", "m", extra={"signature": "s"}))
    ),
    Delta("a", pieces=(Piece(1, "text", "a"), Piece(2, "tool_call", '{"a":', "c1", "add"))),
    Delta("", pieces=(Piece(2, "tool_call", " 1}"), Piece(3, "tool_call", "", "c2", "sub"))),
    Delta("", pieces=(Piece(3, "tool_call", "{}"), Piece(4, "reasoning", "", extra={"data": "d"}))),
)
BLOCKS = (
    Block("reasoning", "hm", extra={"signature": "s"}),
    Block("text", "a"),
    Block("tool_call", '{"a": 1}', "c1", "add"),
    Block("tool_call", "{}", "c2", "sub"),
    Block("reasoning", "", extra={"data": "d"}),
)
CALLS = Final("a", blocks=BLOCKS, ended="tool_calls", model="served", usage=Usage(9, 2, cached=3, cache_written=4))


def asked_prompt(gateway: RunningGateway) -> Prompt:
    """The only prompt that reached the worker."""
    ((_, work),) = gateway.worker.asked
    assert isinstance(work, Prompted)
    return work.prompt


async def test_a_message_has_exactly_this_shape(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("a", provider="p"), Final("ab", provider="p", usage=Usage(3, 4))]
    response = await gateway.client.post(f"{MESSAGES}?beta=true", json=ask("hi"))
    assert response.json() == {
        "id": f"msg_{response.headers['x-answer-id']}",
        "type": "message",
        "role": "assistant",
        "model": "bing-balanced",
        "content": [{"type": "text", "text": "ab"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 4,
        },
    }
    assert response.headers["x-provider"] == "p"
    assert response.headers["request-id"] == response.headers["x-request-id"]
    assert response.headers["x-ignored-parameters"] == "max_tokens"


async def test_a_stream_has_exactly_these_bytes(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("你"), Final("你好", usage=Usage(9, 2, cached=3, cache_written=4))]
    response = await gateway.client.post(MESSAGES, json=ask("hi", stream=True))
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    answer = response.headers["x-answer-id"]
    usage = '"cache_creation_input_tokens":{},"cache_read_input_tokens":{},"output_tokens":{}}}'
    assert response.text == (
        f'event: message_start\ndata: {{"type":"message_start","message":{{"id":"msg_{answer}","type":"message",'
        '"role":"assistant","model":"bing-balanced","content":[],"stop_reason":null,"stop_sequence":null,'
        f'"usage":{{"input_tokens":1,{usage.format(0, 0, 0)}}}}}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"text","text":""}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"你"}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"好"}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        f'"usage":{{"input_tokens":2,{usage.format(4, 3, 2)}}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


async def test_the_fold_of_a_stream_is_the_whole_message(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [*PIECES, CALLS]
    whole = (await gateway.client.post(MESSAGES, json=ask("hi"), headers=KEY)).json()
    streamed = await gateway.client.post(MESSAGES, json=ask("hi", stream=True), headers=KEY)
    message = fold_events(events_of(streamed.text))
    assert message.pop("model") == "bing-balanced"
    assert whole.pop("model") == "served"
    assert message == whole
    assert [block["type"] for block in whole["content"]] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
        "redacted_thinking",
    ]
    assert whole["stop_reason"] == "tool_use"
    assert whole["usage"] == {
        "input_tokens": 2,
        "cache_creation_input_tokens": 4,
        "cache_read_input_tokens": 3,
        "output_tokens": 2,
    }


@pytest.mark.parametrize("end", [CALLS, FAILED])
async def test_a_stream_resumes_at_every_event_with_equal_bytes(store: Store, end: Final | Failed) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = [*PIECES, end]
        body, headers = ask("hi", stream=True), EVENTS | KEY | {"x-request-id": "same"}
        whole = (await gateway.client.post(MESSAGES, json=body, headers=headers)).text
        # The original request, at another gateway.
        assert (await other.client.post(MESSAGES, json=body, headers=headers)).text == whole
        events = whole.split("\n\n")[:-1]
        ids = [event.partition("\nid: ")[2] for event in events]
        assert len([id_ for id_ in ids if id_]) == len(PIECES) + 2
        for number, id_ in enumerate(ids):
            if id_:
                resumed = headers | {"last-event-id": id_}
                rest = (await other.client.post(MESSAGES, json=body, headers=resumed)).text
                assert rest.split("\n\n")[:-1] == events[number + 1 :]
        assert len(gateway.worker.asked) == 1


async def test_what_was_answered_goes_back_as_it_came(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [*PIECES, CALLS]
    content = (await gateway.client.post(MESSAGES, json=ask("hi"))).json()["content"]
    gateway.worker.asked.clear()
    results = [{"type": "tool_result", "tool_use_id": id_, "content": "42"} for id_ in ("c1", "c2")]
    body = ask("hi")
    body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    assert (await gateway.client.post(MESSAGES, json=body)).status_code == 200
    _, first, second, *rest = asked_prompt(gateway).messages
    (thought, _) = first.parts
    assert (thought.text, thought.extra) == ("hm", {"signature": "s"})  # type: ignore[union-attr]
    assert [call.arguments for call in first.calls] == ['{"a":1}', "{}"]
    assert second.parts[0].extra == {"data": "d"}  # type: ignore[union-attr]
    assert [message.call_id for message in rest] == ["c1", "c2"]


async def test_headers_and_fields_of_this_api_are_in_the_prompt(gateway: RunningGateway) -> None:
    headers = {"anthropic-beta": "a-1,b-2", "anthropic-version": "2023-06-01", "openai-beta": "x"}
    user = json.dumps({"device_id": "d", "session_id": "abc"})
    body = ask("hi", metadata={"user_id": user}, context_management={"edits": []}, stop_sequences=["END"], top_k=3)
    response = await gateway.client.post(MESSAGES, json=body, headers=headers)
    prompt = asked_prompt(gateway)
    assert (prompt.dialect, prompt.headers, prompt.session) == ("anthropic", {"anthropic-beta": "a-1,b-2"}, "abc")
    assert prompt.options == {"max_tokens": 1024, "top_k": 3, "stop": ["END"]}
    assert prompt.extra == {"context_management": {"edits": []}}
    assert response.headers["x-ignored-parameters"] == "top_k, max_tokens, context_management"


async def test_headers_that_no_server_takes_are_refused_here(gateway: RunningGateway) -> None:
    headers = [("anthropic-beta", "b" * 3000), ("anthropic-beta", "c" * 3000)]
    response = await gateway.client.post(MESSAGES, json=ask("hi"), headers=headers)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert gateway.worker.asked == []


async def test_tool_runners_learn_that_there_are_no_threads(gateway: RunningGateway) -> None:
    response = await gateway.client.post(MESSAGES, json=ask("hi", thread={"type": "create"}))
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["details"] == {"error_code": "thread_unsupported_request"}
    assert gateway.worker.asked == []
    other = (await gateway.client.post(MESSAGES, json={"model": "bing-precise"})).json()
    assert "details" not in other["error"]


async def test_a_field_that_no_header_can_name_is_ignored_all_the_same(gateway: RunningGateway) -> None:
    response = await gateway.client.post(MESSAGES, json=ask("hi", **{"日本": 1, "a\r\nb: c": 2, "speed": "fast"}))
    assert (response.status_code, "b" in response.headers) == (200, False)
    assert response.headers["x-ignored-parameters"] == "max_tokens, speed"


@pytest.mark.parametrize("path", ["/messages", "/v1/v1/messages", "//v1/messages", "/v1/messages/"])
async def test_a_base_address_may_be_with_v1_or_without(gateway: RunningGateway, path: str) -> None:
    assert (await gateway.client.post(gateway.address + path, json=ask("hi"))).json()["type"] == "message"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stop_sequence_ends_the_answer_and_is_named(gateway: RunningGateway, stream: bool) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("one ST"), Delta("OP two"), gate, Final("never")]
        response = await gateway.client.post(MESSAGES, json=ask("hi", stream=stream, stop_sequences=["x", "STOP"]))
        message = fold_events(events_of(response.text)) if stream else response.json()
        assert message["content"] == [{"type": "text", "text": "one "}]
        assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")
        answer = response.headers["x-answer-id"]
        assert await redis_client(gateway.store).hget(keys.job_key(answer), "state") == b"STOPPED"


@pytest.mark.parametrize("in_text", [False, True])
@pytest.mark.parametrize("stream", [False, True])
async def test_sources_are_citations_of_the_text(store: Store, stream: bool, in_text: bool) -> None:
    async with running(store, settings(sources_in_text=in_text)) as gateway:
        gateway.worker.scripts["hi"] = [Delta("a"), Final("ab", (Source("T", "https://e.org"),))]
        response = await gateway.client.post(MESSAGES, json=ask("hi", stream=stream))
        (block,) = (fold_events(events_of(response.text)) if stream else response.json())["content"]
        assert block["text"] == ("ab\n\n1. T: https://e.org" if in_text else "ab")
        (cited,) = block["citations"]
        assert (cited["type"], cited["url"], cited["title"]) == ("web_search_result_location", "https://e.org", "T")
        # No server knows such a citation.
        gateway.worker.asked.clear()
        body = ask("hi")
        body["messages"] += [{"role": "assistant", "content": [block]}, {"role": "user", "content": "on"}]
        await gateway.client.post(MESSAGES, json=body)
        assert "citations" not in str(asked_prompt(gateway).messages)


async def test_joined_deltas_end_with_the_answer_when_the_upstream_replaced_its_text(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("Searching"), Replace("The sky"), Final("The sky is blue")]
    streamed = await gateway.client.post(MESSAGES, json=ask("hi", stream=True))
    assert fold_events(events_of(streamed.text))["content"] == [{"type": "text", "text": "SearchingThe sky is blue"}]


# Errors


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failed", "status", "type_", "again"),
    [
        (FAILED, 500, "api_error", "false"),
        (Failed("account.throttled", retry_after=7), 429, "rate_limit_error", "true"),
        (Failed("account.throttled", retry_after=7200), 429, "rate_limit_error", "false"),
        (Failed("account.none", retry_after=5), 529, "overloaded_error", "true"),
        (Failed("session.toolong"), 400, "invalid_request_error", "false"),
        (Failed("timeout.first"), 504, "timeout_error", "false"),
    ],
)
async def test_what_fails_at_once_is_an_error_of_http(
    gateway: RunningGateway, stream: bool, failed: Failed, status: int, type_: str, again: str
) -> None:
    gateway.worker.scripts["hi"] = [failed]
    response = await gateway.client.post(MESSAGES, json=ask("hi", stream=stream), headers={"x-request-id": "r"})
    assert response.status_code == status
    error = response.json()
    assert (error["type"], error["error"]["type"], error["request_id"]) == ("error", type_, "r")
    assert response.headers["x-should-retry"] == again
    assert response.headers["request-id"] == "r"
    assert response.headers.get("retry-after") == (str(failed.retry_after) if failed.retry_after else None)


@pytest.mark.parametrize("end", [FAILED, Final("", stopped=True), Final("a", finish="length")])
async def test_what_breaks_within_a_stream_is_its_last_event(gateway: RunningGateway, end: Final | Failed) -> None:
    begun = (Piece(0, "text", "a"), Piece(1, "tool_call", '{"a', "c", "add"))
    gateway.worker.scripts["hi"] = [Delta("a", pieces=begun), end]
    events = events_of((await gateway.client.post(MESSAGES, json=ask("hi", stream=True))).text)
    assert [event["type"] for event in events if event["type"].startswith("message")] == ["message_start"]
    assert events[-1]["error"]["type"] == "api_error"


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_a_stream_that_its_gateway_cuts_says_so(gateway: RunningGateway, headers: dict[str, str]) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("a")]
        async with gateway.client.stream("POST", MESSAGES, json=ask("hi", stream=True), headers=headers) as response:
            text = response.aiter_text()
            stream = await anext(text)
            gateway.active_requests.abort()
            stream += "".join([part async for part in text])
    assert events_of(stream)[-1]["error"]["type"] == "api_error"


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_signs_of_life_are_pings_of_this_api(store: Store, headers: dict[str, str]) -> None:
    async with running(store, timings=Timings(openai_first_event=0.05, sse_ping_every=0.05)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hi"] = [gate, Final("a")]
            stream = ""
            async with gateway.client.stream(
                "POST", MESSAGES, json=ask("hi", stream=True), headers=headers
            ) as response:
                async for text in response.aiter_text():
                    stream += text
                    if "event: ping" in stream:
                        gate.set()
    assert fold_events(_without_ids(stream))["content"] == [{"type": "text", "text": "a"}]


def _without_ids(stream: str) -> list[dict[str, Any]]:
    lines = [line for line in stream.split("\n") if not line.startswith(("id: ", "retry: "))]
    return events_of("\n".join(lines))


@pytest.mark.parametrize(
    ("method", "path", "status", "type_"),
    [
        ("GET", MESSAGES, 405, "invalid_request_error"),
        ("POST", f"{MESSAGES}/batches", 404, "not_found_error"),
        ("GET", "/messages/x", 404, "not_found_error"),
    ],
)
async def test_paths_of_this_api_have_its_errors(
    gateway: RunningGateway, method: str, path: str, status: int, type_: str
) -> None:
    response = await gateway.client.request(method, path)
    assert (response.status_code, response.json()["error"]["type"]) == (status, type_)


async def test_a_body_that_can_not_be_read_is_refused_in_shape(store: Store) -> None:
    async with running(store, settings(max_body=200)) as gateway:
        for content, headers, status, type_ in (
            (b"[", {}, 400, "invalid_request_error"),
            (b"x" * 201, {}, 413, "request_too_large"),
            (b"x", {"content-encoding": "gzip"}, 415, "invalid_request_error"),
        ):
            for path in (MESSAGES, f"{MESSAGES}/count_tokens"):
                response = await gateway.client.post(path, content=content, headers=headers)
                assert (response.status_code, response.json()["error"]["type"]) == (status, type_)


async def test_an_unknown_model_is_not_found(gateway: RunningGateway) -> None:
    for path in (MESSAGES, f"{MESSAGES}/count_tokens"):
        response = await gateway.client.post(path, json=ask("hi", model="nope"))
        assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")


async def test_what_a_model_can_not_do_is_refused_by_its_name_here(gateway: RunningGateway) -> None:
    form = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    response = await gateway.client.post(MESSAGES, json=ask("hi", output_config=form))
    assert response.status_code == 400
    assert "'output_config.format'" in response.json()["error"]["message"]


# Beside questions


async def test_tokens_are_counted_without_a_question(gateway: RunningGateway) -> None:
    body = ask("x" * 40)
    del body["max_tokens"]
    response = await gateway.client.post(f"{MESSAGES}/count_tokens", json=body)
    assert (response.status_code, response.json()) == (200, {"input_tokens": 10})
    assert gateway.worker.asked == []


async def test_tokens_are_those_that_a_server_of_the_model_counts_if_one_can(gateway: RunningGateway) -> None:
    await gateway.announce("a", "claude", calls=("count_tokens",))
    gateway.worker.results["claude"], gateway.worker.scripts["claude"] = b'{"input_tokens":7}', [Final("")]
    response = await gateway.client.post(f"{MESSAGES}/count_tokens", json=ask("x" * 40, model="claude"))
    assert (response.status_code, response.json()) == (200, {"input_tokens": 7})
    gateway.worker.scripts["claude"] = [FAILED]
    response = await gateway.client.post(f"{MESSAGES}/count_tokens", json=ask("x" * 40, model="claude"))
    assert (response.status_code, response.json()) == (200, {"input_tokens": 10})


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_pages_of_every_origin_may_ask(gateway: RunningGateway) -> None:
    asked = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "anthropic-dangerous-direct-browser-access,anthropic-version,x-api-key",
    }
    response = await gateway.client.options(MESSAGES, headers=asked)
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert response.status_code == 204
    assert {"X-API-Key", "*"} <= set(allowed)
    asked_for = await gateway.client.post(
        MESSAGES, json=ask("hi"), headers={"anthropic-dangerous-direct-browser-access": "true"}
    )
    assert "Request-ID" in asked_for.headers["access-control-expose-headers"]
