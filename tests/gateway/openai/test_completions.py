"""/v1/chat/completions over real connections."""

import asyncio
import json
import threading
from typing import Any

import pytest

from gateway.answering.timings import Timings
from gateway.errors import DrainingError
from gateway.openai import usage
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.anthropic_client import MESSAGES, ask
from tests.support.gateway.harness import RunningGateway, closing_gate, running, settings
from tests.support.gateway.openai_client import (
    COMPLETIONS,
    EVENTS,
    MODEL,
    asked_tokens,
    chat,
    chunks_of,
    complete,
    data_of,
    joined,
)
from tests.support.redis_client import redis_client
from wire import keys
from wire.jobs import Jobs
from wire.messages import Chat, Delta, Failed, Final, Replace, Source, Usage
from wire.redis.store import Store
from wire.threads import LARGE

pytestmark = pytest.mark.anyio

SOURCE = Source("T", "https://e.org")
KEY = {"Idempotency-Key": "0123456789abcdef"}
FAILED = Failed("interrupted")


# Shapes


async def test_a_completion_has_exactly_this_shape(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("a", provider="p"), Final("ab", (SOURCE,), provider="p", usage=Usage(3, 4))]
    response = await gateway.client.post(COMPLETIONS, json=chat("hi"))
    completion = response.json()
    assert completion.pop("created") > 0
    assert response.headers["x-provider"] == "p"
    assert response.headers["cache-control"] == "no-store"
    cited = {
        "type": "url_citation",
        "url_citation": {"start_index": 2, "end_index": 2, "title": "T", "url": "https://e.org"},
    }
    assert completion == {
        "id": f"chatcmpl-{response.headers['x-answer-id']}",
        "object": "chat.completion",
        "model": MODEL,
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ab", "refusal": None, "annotations": [cited]},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (COMPLETIONS, chat("hi")),
        ("/v1/completions", {"model": MODEL, "prompt": "hi"}),
        ("/v1/responses", {"model": MODEL, "input": "hi"}),
        (MESSAGES, ask("hi")),
    ],
)
async def test_a_large_whole_answer_is_rendered_beside_the_loop(
    gateway: RunningGateway, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def estimate(size: int) -> int:
        threads.append(threading.current_thread().name)
        return size

    # What each of them does once it has the whole text.
    monkeypatch.setattr(usage, "_estimate", estimate)
    for size, beside in ((1, False), (LARGE + 1, True)):
        gateway.worker.scripts["hi"] = [Final("a" * size)]
        threads.clear()
        response = await gateway.client.post(path, json=body)
        assert ("a" * size) in response.text
        assert {name.startswith("large") for name in threads} == {beside}


async def test_a_stream_has_exactly_these_bytes(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("你"), Final("你好", finish="length")]
    response = await gateway.client.post(COMPLETIONS, json=chat("hi", stream=True))
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    answer, created = response.headers["x-answer-id"], chunks_of(response.text)[0]["created"]
    head = (
        f'data: {{"id":"chatcmpl-{answer}","object":"chat.completion.chunk","created":{created},'
        f'"model":"{MODEL}","system_fingerprint":null,"choices":[{{"index":0,"delta":'
    )
    tail = ',"logprobs":null,"finish_reason":null}]}\n\n'
    assert response.text == (
        f'{head}{{"role":"assistant","content":""}}{tail}'
        f'{head}{{"content":"你"}}{tail}'
        f'{head}{{"content":"好"}}{tail}'
        f'{head}{{}},"logprobs":null,"finish_reason":"length"}}]}}\n\n'
        "data: [DONE]\n\n"
    )


async def test_a_stream_contains_its_usage_when_asked_to(gateway: RunningGateway) -> None:
    options = {"include_usage": True}
    response = await gateway.client.post(COMPLETIONS, json=chat("hi", stream=True, stream_options=options))
    *chunks, last = chunks_of(response.text)
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5, "estimated": True}


async def test_sources_are_a_delta_before_the_end(gateway: RunningGateway) -> None:
    chunks = chunks_of((await gateway.client.post(COMPLETIONS, json=chat("hi", stream=True))).text)
    assert joined(chunks) == '你好,wor"ld'
    assert chunks[-2]["choices"][0]["delta"]["annotations"][0]["url_citation"]["title"] == "标题"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]


@pytest.mark.parametrize("stream", [False, True])
async def test_sources_are_part_of_the_text_when_the_setting_is_on(store: Store, stream: bool) -> None:
    async with running(store, settings(sources_in_text=True)) as gateway:
        gateway.worker.scripts["hi"] = [Delta("a"), Final("ab", (SOURCE,))]
        response = await gateway.client.post(COMPLETIONS, json=chat("hi", stream=stream))
        text = joined(chunks_of(response.text)) if stream else response.json()["choices"][0]["message"]["content"]
        assert text == "ab\n\n1. T: https://e.org"
        await complete(gateway, "hi", text, "on")
        assert len(set(asked_tokens(gateway))) == 1


async def test_joined_deltas_end_with_the_answer_when_the_upstream_replaced_its_text(gateway: RunningGateway) -> None:
    gateway.worker.scripts["odd"] = [Delta("Searching"), Replace("The sky"), Final("The sky is blue")]
    text = joined(chunks_of((await gateway.client.post(COMPLETIONS, json=chat("odd", stream=True))).text))
    assert text == "SearchingThe sky is blue"
    await complete(gateway, "odd", text, "on")
    assert len(set(asked_tokens(gateway))) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stop_sequence_ends_the_answer_here_and_upstream(gateway: RunningGateway, stream: bool) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("one ST"), Delta("OP two"), gate, Delta("more"), Final("never")]
        response = await gateway.client.post(COMPLETIONS, json=chat("hi", stream=stream, stop=["STOP"]))
        choice = chunks_of(response.text)[-1]["choices"][0] if stream else response.json()["choices"][0]
        assert choice["finish_reason"] == "stop"
        text = joined(chunks_of(response.text)) if stream else choice["message"]["content"]
        assert text == "one "
        answer = response.headers["x-answer-id"]
        assert await redis_client(gateway.store).hget(keys.job_key(answer), "state") == b"STOPPED"


# Errors


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failed", "status", "type_", "code", "again"),
    [
        (FAILED, 500, "server_error", "interrupted", "false"),
        (Failed("account.throttled", retry_after=7), 429, "rate_limit_error", "rate_limit_exceeded", "true"),
        (Failed("account.throttled", retry_after=61), 429, "rate_limit_error", "rate_limit_exceeded", "false"),
        (
            Failed("account.throttled", retry_after=7200),
            429,
            "insufficient_quota",
            "insufficient_quota",
            "false",
        ),
        (Failed("account.none", retry_after=5), 503, "service_unavailable", "account.none", "true"),
        (Failed("session.toolong"), 400, "invalid_request_error", "context_length_exceeded", "false"),
        (Failed("timeout.first"), 500, "server_error", "timeout.first", "false"),
        (Failed("somebodys.own", code=500, message="x"), 500, "server_error", "somebodys.own", "false"),
    ],
)
async def test_what_fails_at_once_is_an_error_of_http(
    gateway: RunningGateway, stream: bool, failed: Failed, status: int, type_: str, code: str, again: str
) -> None:
    gateway.worker.scripts["hi"] = [failed]
    response = await gateway.client.post(COMPLETIONS, json=chat("hi", stream=stream))
    assert response.status_code == status
    error = response.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["code"]) == (type_, code)
    assert error["message"].isascii()
    assert response.headers["x-should-retry"] == again
    assert response.headers.get("retry-after") == (str(failed.retry_after) if failed.retry_after else None)


async def test_what_breaks_within_a_stream_is_its_last_event(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("half"), FAILED]
    response = await gateway.client.post(COMPLETIONS, json=chat("hi", stream=True))
    assert response.status_code == 200
    *_, last, rest = response.text.split("\n\n")
    assert rest == ""
    error = json.loads(data_of(last))["error"]
    # No client repeats this type, and the code is the cause.
    assert (error["type"], error["code"]) == ("invalid_request_error", "interrupted")
    assert "[DONE]" not in response.text


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_a_stream_that_its_gateway_cuts_says_so(gateway: RunningGateway, headers: dict[str, str]) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("a")]
        async with gateway.client.stream(
            "POST", COMPLETIONS, json=chat("hi", stream=True), headers=headers
        ) as response:
            text = response.aiter_text()
            stream = await anext(text)
            gateway.active_requests.abort()
            stream += "".join([part async for part in text])
    assert json.loads(data_of(stream.split("\n\n")[-2]))["error"]["code"] == "gateway.draining"


async def test_a_stream_begins_without_its_first_event_when_that_takes_too_long(store: Store) -> None:
    async with running(store, timings=Timings(openai_first_event=0.05)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hi"] = [gate, FAILED]
            async with gateway.client.stream("POST", COMPLETIONS, json=chat("hi", stream=True)) as response:
                text = response.aiter_text()
                assert json.loads(data_of((await anext(text)).strip()))["choices"][0]["delta"]["role"] == "assistant"
                gate.set()
                assert '"interrupted"' in "".join([part async for part in text])


async def test_a_question_that_may_run_already_is_not_to_be_sent_again_without_a_key(store: Store) -> None:
    async with running(store, worker=False) as gateway:
        for headers, again in (({}, "false"), (KEY, "true")):
            waiting = asyncio.create_task(gateway.client.post(COMPLETIONS, json=chat("hi"), headers=headers))
            await until(lambda: bool(gateway.active_requests._running))
            for turn in gateway.active_requests._running:
                turn.abort(DrainingError)
            response = await waiting
            assert (response.status_code, response.headers["x-should-retry"]) == (503, again)


async def test_a_full_queue_says_when_to_come_back(store: Store) -> None:
    async with running(store, settings(queue_limit=1), worker=False) as gateway:
        await Jobs(store, GatewaySettings()).submit("s0-first", Chat("balanced", "first"), "token", create=True)
        refused = await gateway.client.post(COMPLETIONS, json=chat("hi"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue.full")
        assert refused.headers["x-should-retry"] == "true"
        assert int(refused.headers["retry-after"]) > 0


async def test_a_client_that_leaves_stops_nothing(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
        async with gateway.client.stream("POST", COMPLETIONS, json=chat("hi", stream=True)) as response:
            answer = response.headers["x-answer-id"]
        await until(lambda: not gateway.active_requests.running)
        gate.set()

        async def done() -> bool:
            return bool(await redis_client(gateway.store).hget(keys.job_key(answer), "state") == b"DONE")

        await until(done)


async def test_head_and_options_ask_nothing(gateway: RunningGateway) -> None:
    assert (await gateway.client.head(COMPLETIONS)).status_code == 200
    assert (await gateway.client.options(COMPLETIONS)).headers["allow"] == "POST, HEAD, OPTIONS"
    refused = await gateway.client.get(COMPLETIONS)
    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")
    assert asked_tokens(gateway) == []


# Signs of life


@pytest.mark.parametrize(
    ("path", "body"), [(COMPLETIONS, chat("slow")), ("/v1/responses", {"model": MODEL, "input": "slow"})]
)
async def test_a_stream_without_ids_shows_that_it_lives_by_comments(
    store: Store, path: str, body: dict[str, Any]
) -> None:
    stream = await slow_stream(store, path, body, {})
    assert ": ping\n\n" in stream
    assert "id:" not in stream.replace('"id":', "")
    assert "retry:" not in stream


@pytest.mark.parametrize(
    ("path", "body"), [(COMPLETIONS, chat("slow")), ("/v1/responses", {"model": MODEL, "input": "slow"})]
)
async def test_a_stream_with_ids_has_no_event_without_data(store: Store, path: str, body: dict[str, Any]) -> None:
    stream = await slow_stream(store, path, body, EVENTS)
    assert ": ping\n" in stream
    blocks = stream.split("\n\n")[:-1]
    for block in blocks:
        assert [line for line in block.split("\n") if line.startswith("data: ")], block
    opening = [block for block in blocks if block.endswith(".0")]
    assert len(opening) == 1
    assert opening[0].split("\n")[-2] == "retry: 1000"
    assert stream.count("retry: ") == 1
    for block in blocks:
        fields = [line.partition(":")[0] for line in block.split("\n") if not line.startswith(":")]
        assert fields in (
            [*events, "data", *tail] for events in ([], ["event"]) for tail in ([], ["id"], ["retry", "id"])
        )


async def slow_stream(store: Store, path: str, body: dict[str, Any], headers: dict[str, str]) -> str:
    """Return a stream in which nothing came for the time of some signs."""
    async with running(store, timings=Timings(sse_ping_every=0.02, openai_first_event=0.05)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
            asked = {**body, "stream": True}
            async with gateway.client.stream("POST", path, json=asked, headers=headers) as response:
                chunks, stream = response.aiter_text(), ""
                async with asyncio.timeout(5):
                    while stream.count(": ping\n") < 3:
                        stream += await anext(chunks)
                gate.set()
                return stream + "".join([chunk async for chunk in chunks])
