"""/v1/chat/completions over real connections."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DrainingError
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, running, settings
from tests.support.gateway.openai_client import EVENTS, MODEL, chat, chunks_of, data_of, joined
from wire import keys
from wire.jobs import Jobs
from wire.messages import Chat, Delta, Failed, Final, HistoryMessage, Replace, Source, Usage
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions"
SOURCE = Source("T", "https://e.org")
KEY = {"Idempotency-Key": "0123456789abcdef"}
FAILED = Failed("interrupted")


async def said(gateway: RunningGateway, *texts: str, **headers: str) -> str:
    """The answer to a conversation."""
    response = await gateway.client.post(PATH, json=chat(*texts), headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def tokens(gateway: RunningGateway) -> list[str]:
    return [token for token, _ in gateway.worker.asked]


def works(gateway: RunningGateway) -> list[Chat]:
    return [work for _, work in gateway.worker.asked if isinstance(work, Chat)]


# Shapes


async def test_a_completion_has_exactly_this_shape(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("a", provider="p"), Final("ab", (SOURCE,), provider="p", usage=Usage(3, 4))]
    response = await gateway.client.post(PATH, json=chat("hi"))
    found = response.json()
    assert found.pop("created") > 0
    assert response.headers["x-provider"] == "p"
    assert response.headers["cache-control"] == "no-store"
    cited = {
        "type": "url_citation",
        "url_citation": {"start_index": 2, "end_index": 2, "title": "T", "url": "https://e.org"},
    }
    assert found == {
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


async def test_a_stream_has_exactly_these_bytes(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("你"), Final("你好", finish="length")]
    response = await gateway.client.post(PATH, json=chat("hi", stream=True))
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


async def test_a_stream_tells_its_usage_when_asked_to(gateway: RunningGateway) -> None:
    options = {"include_usage": True}
    response = await gateway.client.post(PATH, json=chat("hi", stream=True, stream_options=options))
    *chunks, last = chunks_of(response.text)
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5, "estimated": True}


async def test_sources_are_a_delta_before_the_end(gateway: RunningGateway) -> None:
    chunks = chunks_of((await gateway.client.post(PATH, json=chat("hi", stream=True))).text)
    assert joined(chunks) == '你好,wor"ld'
    assert chunks[-2]["choices"][0]["delta"]["annotations"][0]["url_citation"]["title"] == "标题"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]


@pytest.mark.parametrize("stream", [False, True])
async def test_sources_stand_in_the_text_when_the_setting_says_so(store: Store, stream: bool) -> None:
    async with running(store, settings(sources_in_text=True)) as gateway:
        gateway.worker.scripts["hi"] = [Delta("a"), Final("ab", (SOURCE,))]
        response = await gateway.client.post(PATH, json=chat("hi", stream=stream))
        text = joined(chunks_of(response.text)) if stream else response.json()["choices"][0]["message"]["content"]
        assert text == "ab\n\n1. T: https://e.org"
        await said(gateway, "hi", text, "on")
        assert len(set(tokens(gateway))) == 1


async def test_joined_deltas_end_with_the_answer_when_the_upstream_replaced_its_text(gateway: RunningGateway) -> None:
    gateway.worker.scripts["odd"] = [Delta("Searching"), Replace("The sky"), Final("The sky is blue")]
    text = joined(chunks_of((await gateway.client.post(PATH, json=chat("odd", stream=True))).text))
    assert text == "SearchingThe sky is blue"
    await said(gateway, "odd", text, "on")
    assert len(set(tokens(gateway))) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stop_sequence_ends_the_answer_here_and_upstream(gateway: RunningGateway, stream: bool) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("one ST"), Delta("OP two"), gate, Delta("more"), Final("never")]
        response = await gateway.client.post(PATH, json=chat("hi", stream=stream, stop=["STOP"]))
        choice = chunks_of(response.text)[-1]["choices"][0] if stream else response.json()["choices"][0]
        assert choice["finish_reason"] == "stop"
        text = joined(chunks_of(response.text)) if stream else choice["message"]["content"]
        assert text == "one "
        answer = response.headers["x-answer-id"]
        assert await gateway.store.commands.hget(keys.job_key(answer), "state") == b"STOPPED"


# Conversations


async def test_a_conversation_sent_in_full_continues_its_token_and_asks_only_what_is_new(
    gateway: RunningGateway,
) -> None:
    first = await said(gateway, "hi")
    response = await gateway.client.post(PATH, json=chat("hi", f" {first}\n", "two", stream=True))
    second = joined(chunks_of(response.text))
    await said(gateway, "hi", first, "two", second, "three")
    assert len(set(tokens(gateway))) == 1
    assert [work.question for work in works(gateway)] == ["hi", "two", "three"]
    assert works(gateway)[1].history == (HistoryMessage("user", "hi"), HistoryMessage("assistant", f" {first}\n"))


async def test_a_changed_past_begins_another_conversation_that_is_told_it(gateway: RunningGateway) -> None:
    first = await said(gateway, "hi")
    await said(gateway, "hi, edited", first, "two")
    assert len(set(tokens(gateway))) == 2
    assert works(gateway)[1].history == (HistoryMessage("user", "hi, edited"), HistoryMessage("assistant", first))


async def test_a_second_continuation_of_one_answer_begins_another_conversation(gateway: RunningGateway) -> None:
    first = await said(gateway, "hi")
    for question in ("two", "other", "two"):
        await said(gateway, "hi", first, question)
    assert len(set(tokens(gateway))) == 3


async def test_two_users_with_the_same_messages_have_two_conversations(gateway: RunningGateway) -> None:
    users = ({"authorization": "Bearer one"}, {"authorization": "Bearer two"})
    first, _ = [await said(gateway, "hi", **user) for user in users]
    for user in users:
        await said(gateway, "hi", first, "on", **user)
    one, two, *rest = tokens(gateway)
    assert one != two
    assert rest == [one, two]


async def test_holders_of_two_keys_share_nothing(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("".join(f"{name} {hashlib.sha256(name.encode() * 20).hexdigest()}\n" for name in ("al", "bo")))
    async with running(store, settings(api_keys_file=path)) as gateway:
        users = [{"authorization": f"Bearer {name * 20}"} for name in ("al", "bo")]
        first, _ = [await said(gateway, "hi", **user) for user in users]
        for user in users:
            await said(gateway, "hi", first, "on", **user)
            await said(gateway, "named", **user, **{"x-conversation-id": "n"})
        assert len(set(tokens(gateway))) == 4
        refused = await gateway.client.post(PATH, json=chat("hi"), headers={"authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "named",
    [
        {"headers": {"X-Conversation-ID": "a-name-of-16-chars"}},
        {"conversation": "a-name-of-16-chars"},
        {"conversation": {"id": "a-name-of-16-chars"}},
        {"metadata": {"conversation_id": "a-name-of-16-chars"}},
    ],
)
async def test_a_conversation_that_the_client_names_goes_on_whatever_is_told(
    gateway: RunningGateway, named: dict[str, Any]
) -> None:
    headers, fields = named.get("headers", {}), {name: named[name] for name in named if name != "headers"}
    for texts in (["hi"], ["something", "else", "two"], ["three"]):
        await gateway.client.post(PATH, json=chat(*texts) | fields, headers=headers)
    assert len(set(tokens(gateway))) == 1
    assert [work.question for work in works(gateway)] == ["hi", "two", "three"]


async def test_a_name_that_others_may_hit_on_is_refused(gateway: RunningGateway) -> None:
    response = await gateway.client.post(PATH, json=chat("hi"), headers={"X-Conversation-ID": "short"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "X-Conversation-ID")


async def test_a_conversation_that_is_no_longer_kept_begins_anew(gateway: RunningGateway) -> None:
    first = await said(gateway, "hi")
    await gateway.store.commands.delete(keys.token_key(tokens(gateway)[0]))
    await said(gateway, "hi", first, "on")
    assert len(set(tokens(gateway))) == 2
    assert works(gateway)[1].history


async def test_a_failed_turn_is_not_gone_on_from_twice(gateway: RunningGateway) -> None:
    first = await said(gateway, "hi")
    gateway.worker.scripts["bad"] = [FAILED]
    await gateway.client.post(PATH, json=chat("hi", first, "bad"))
    await said(gateway, "hi", first, "on")
    one, two, three = tokens(gateway)
    assert one == two != three


# Idempotency-Key, and going on after a cut


async def test_a_repeated_request_gets_the_same_answer(
    gateway: RunningGateway,
) -> None:
    """Also after the conversation has continued."""
    first = await said(gateway, "hi")
    body = chat("hi", first, "two")
    before = await gateway.client.post(PATH, json=body, headers=KEY)
    await said(gateway, "hi", first, "two", before.json()["choices"][0]["message"]["content"], "three")
    again = await gateway.client.post(PATH, json=body, headers=KEY)
    assert again.content == before.content
    assert again.headers["x-answer-id"] == before.headers["x-answer-id"]
    assert len(tokens(gateway)) == 3
    for changed in (chat("hi", "other", "two"), chat("hi", first, "other")):
        refused = await gateway.client.post(PATH, json=changed, headers=KEY)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "key.reused")


async def test_parallel_repeats_under_a_key_are_asked_once(gateway: RunningGateway) -> None:
    first = await said(gateway, "hi")
    requests = [gateway.client.post(PATH, json=chat("hi", first, "two"), headers=KEY) for _ in range(10)]
    found = await asyncio.gather(*requests)
    assert len({response.content for response in found}) == 1
    assert len(tokens(gateway)) == 2


async def test_an_event_source_goes_on_where_it_stopped_without_asking_again(store: Store) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = [Delta("a"), Delta("b"), Delta("c"), Final("abcd")]
        body = chat("hi", stream=True, stream_options={"include_usage": True})
        whole = (await gateway.client.post(PATH, json=body, headers=EVENTS)).text
        opening, *events = whole.split("\n\n")[:-1]
        answer = opening.rpartition("id: ")[2].removesuffix(".0")
        for number, event in enumerate(events):
            if not event.startswith("id: "):
                continue
            last = event.split("\n")[0].removeprefix("id: ")
            headers = EVENTS | {"last-event-id": last}
            rest = (await other.client.post(PATH, json=body, headers=headers)).text.split("\n\n")[:-1]
            assert rest[1:] == events[number + 1 :]
        assert answer
        assert len(tokens(gateway)) == 1
        mistaken = EVENTS | {"last-event-id": f"{answer}.2"}
        refused = await other.client.post(PATH, json=chat("other", stream=True), headers=mistaken)
        assert refused.status_code == 404


# Errors


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failed", "status", "type_", "code", "again"),
    [
        (FAILED, 500, "server_error", "interrupted", "false"),
        (Failed("account.throttled", retry_after=7), 429, "insufficient_quota", "insufficient_quota", "true"),
        (
            Failed("account.throttled", retry_after=61),
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
    response = await gateway.client.post(PATH, json=chat("hi", stream=stream))
    assert response.status_code == status
    error = response.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["code"]) == (type_, code)
    assert error["message"].isascii()
    assert response.headers["x-should-retry"] == again
    assert response.headers.get("retry-after") == (str(failed.retry_after) if failed.retry_after else None)


async def test_what_breaks_within_a_stream_is_its_last_event(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("half"), FAILED]
    response = await gateway.client.post(PATH, json=chat("hi", stream=True))
    assert response.status_code == 200
    *_, last, rest = response.text.split("\n\n")
    assert rest == ""
    assert json.loads(data_of(last))["error"]["code"] == "interrupted"
    assert "[DONE]" not in response.text


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_a_stream_that_its_gateway_cuts_says_so(gateway: RunningGateway, headers: dict[str, str]) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("a")]
        async with gateway.client.stream("POST", PATH, json=chat("hi", stream=True), headers=headers) as response:
            text = response.aiter_text()
            found = await anext(text)
            gateway.active_requests.abort()
            found += "".join([part async for part in text])
    assert json.loads(data_of(found.split("\n\n")[-2]))["error"]["code"] == "gateway.draining"


async def test_a_stream_begins_without_its_first_event_when_that_takes_too_long(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.openai.completions.FIRST_EVENT_WAIT", 0.05)
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [gate, FAILED]
        async with gateway.client.stream("POST", PATH, json=chat("hi", stream=True)) as response:
            text = response.aiter_text()
            assert json.loads(data_of((await anext(text)).strip()))["choices"][0]["delta"]["role"] == "assistant"
            gate.set()
            assert '"interrupted"' in "".join([part async for part in text])


async def test_who_may_have_been_asked_already_is_not_told_to_ask_again(store: Store) -> None:
    async with running(store, worker=False) as gateway:
        for headers, again in (({}, "false"), (KEY, "true")):
            waiting = asyncio.create_task(gateway.client.post(PATH, json=chat("hi"), headers=headers))
            await until(lambda: bool(gateway.active_requests._running))
            for turn in gateway.active_requests._running:
                turn.abort(DrainingError)
            response = await waiting
            assert (response.status_code, response.headers["x-should-retry"]) == (503, again)


async def test_a_full_queue_says_when_to_come_back(store: Store) -> None:
    async with running(store, settings(queue_limit=1), worker=False) as gateway:
        await Jobs(store, GatewaySettings()).submit("s0-first", Chat("balanced", "first"), "token", create=True)
        refused = await gateway.client.post(PATH, json=chat("hi"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue.full")
        assert refused.headers["x-should-retry"] == "true"
        assert int(refused.headers["retry-after"]) > 0


async def test_a_client_that_leaves_stops_nothing(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
        async with gateway.client.stream("POST", PATH, json=chat("hi", stream=True)) as response:
            answer = response.headers["x-answer-id"]
        await until(lambda: not gateway.active_requests.running)
        gate.set()

        async def done() -> bool:
            return bool(await gateway.store.commands.hget(keys.job_key(answer), "state") == b"DONE")

        await until(done)


async def test_head_and_options_ask_nothing(gateway: RunningGateway) -> None:
    assert (await gateway.client.head(PATH)).status_code == 200
    assert (await gateway.client.options(PATH)).headers["allow"] == "POST, HEAD, OPTIONS"
    refused = await gateway.client.get(PATH)
    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")
    assert tokens(gateway) == []


async def test_instructions_and_patience_go_along(gateway: RunningGateway) -> None:
    body = chat("hi")
    body["messages"].insert(0, {"role": "system", "content": "be brief"})
    await gateway.client.post(PATH, json=body, headers={"prefer": "wait=7", "x-request-id": "mine"})
    (work,) = works(gateway)
    assert (work.instructions, work.wait, work.request) == ("be brief", 7.0, "mine")
