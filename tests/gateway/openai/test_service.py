"""How questions of /v1 reach the conversation that they continue."""

import asyncio
import gc
import hashlib
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.openai.requests import CompletionRequest
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.gateway.openai_client import (
    COMPLETIONS,
    EVENTS,
    MODEL,
    asked_chats,
    asked_tokens,
    chat,
    chunks_of,
    complete,
    joined,
)
from tests.support.redis_client import redis_client
from wire import keys
from wire.blocks import Block, Piece
from wire.errors import StoreUnavailableError
from wire.jobs import Jobs
from wire.messages import Chat, Delta, Failed, Final, HistoryMessage, Prompted, Usage
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "0123456789abcdef"}
FAILED = Failed("interrupted")


# Conversations


async def test_a_conversation_sent_in_full_continues_its_token_and_asks_only_what_is_new(
    gateway: RunningGateway,
) -> None:
    first = await complete(gateway, "hi")
    response = await gateway.client.post(COMPLETIONS, json=chat("hi", f" {first}\n", "two", stream=True))
    second = joined(chunks_of(response.text))
    await complete(gateway, "hi", first, "two", second, "three")
    assert len(set(asked_tokens(gateway))) == 1
    assert [work.question for work in asked_chats(gateway)] == ["hi", "two", "three"]
    assert asked_chats(gateway)[1].history == (HistoryMessage("user", "hi"), HistoryMessage("assistant", f" {first}\n"))


async def test_an_edited_history_begins_another_conversation_that_gets_it(gateway: RunningGateway) -> None:
    first = await complete(gateway, "hi")
    await complete(gateway, "hi, edited", first, "two")
    assert len(set(asked_tokens(gateway))) == 2
    assert asked_chats(gateway)[1].history == (HistoryMessage("user", "hi, edited"), HistoryMessage("assistant", first))


async def test_a_second_continuation_of_one_answer_begins_another_conversation(gateway: RunningGateway) -> None:
    first = await complete(gateway, "hi")
    for question in ("two", "other", "two"):
        await complete(gateway, "hi", first, question)
    assert len(set(asked_tokens(gateway))) == 3


async def test_two_users_with_the_same_messages_have_two_conversations(gateway: RunningGateway) -> None:
    users = ({"authorization": "Bearer one"}, {"authorization": "Bearer two"})
    first, _ = [await complete(gateway, "hi", **user) for user in users]
    for user in users:
        await complete(gateway, "hi", first, "on", **user)
    first_token, second_token, *later = asked_tokens(gateway)
    assert first_token != second_token
    assert later == [first_token, second_token]


async def test_holders_of_two_keys_share_nothing(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("".join(f"{name} {hashlib.sha256(name.encode() * 20).hexdigest()}\n" for name in ("al", "bo")))
    async with running(store, settings(api_keys_file=path)) as gateway:
        users = [{"authorization": f"Bearer {name * 20}"} for name in ("al", "bo")]
        first, _ = [await complete(gateway, "hi", **user) for user in users]
        for user in users:
            await complete(gateway, "hi", first, "on", **user)
            await complete(gateway, "named", **user, **{"x-conversation-id": "n"})
        assert len(set(asked_tokens(gateway))) == 4
        refused = await gateway.client.post(COMPLETIONS, json=chat("hi"), headers={"authorization": "Bearer wrong"})
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
async def test_a_conversation_that_the_client_names_continues_whatever_its_history(
    gateway: RunningGateway, named: dict[str, Any]
) -> None:
    headers, fields = named.get("headers", {}), {name: named[name] for name in named if name != "headers"}
    for texts in (["hi"], ["something", "else", "two"], ["three"]):
        await gateway.client.post(COMPLETIONS, json=chat(*texts) | fields, headers=headers)
    assert len(set(asked_tokens(gateway))) == 1
    assert [work.question for work in asked_chats(gateway)] == ["hi", "two", "three"]


async def test_a_name_that_others_may_guess_is_refused(gateway: RunningGateway) -> None:
    response = await gateway.client.post(COMPLETIONS, json=chat("hi"), headers={"X-Conversation-ID": "short"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "X-Conversation-ID")


async def test_a_conversation_that_is_no_longer_kept_begins_anew(gateway: RunningGateway) -> None:
    first = await complete(gateway, "hi")
    await redis_client(gateway.store).delete(keys.token_key(asked_tokens(gateway)[0]))
    await complete(gateway, "hi", first, "on")
    assert len(set(asked_tokens(gateway))) == 2
    assert asked_chats(gateway)[1].history


async def test_a_conversation_does_not_continue_twice_after_a_failed_turn(gateway: RunningGateway) -> None:
    first = await complete(gateway, "hi")
    gateway.worker.scripts["bad"] = [FAILED]
    await gateway.client.post(COMPLETIONS, json=chat("hi", first, "bad"))
    await complete(gateway, "hi", first, "on")
    first_token, second_token, third_token = asked_tokens(gateway)
    assert first_token == second_token != third_token


async def test_instructions_wait_and_request_id_are_part_of_the_job(gateway: RunningGateway) -> None:
    body = chat("hi")
    body["messages"].insert(0, {"role": "system", "content": "be brief"})
    await gateway.client.post(COMPLETIONS, json=body, headers={"prefer": "wait=7", "x-request-id": "mine"})
    (work,) = asked_chats(gateway)
    assert (work.instructions, work.wait, work.request) == ("be brief", 7.0, "mine")


# Idempotency-Key, and resumed streams


async def test_a_repeated_request_gets_the_same_answer(
    gateway: RunningGateway,
) -> None:
    """Also after the conversation has continued."""
    first = await complete(gateway, "hi")
    body = chat("hi", first, "two")
    before = await gateway.client.post(COMPLETIONS, json=body, headers=KEY)
    await complete(gateway, "hi", first, "two", before.json()["choices"][0]["message"]["content"], "three")
    again = await gateway.client.post(COMPLETIONS, json=body, headers=KEY)
    assert again.content == before.content
    assert again.headers["x-answer-id"] == before.headers["x-answer-id"]
    assert len(asked_tokens(gateway)) == 3
    for changed in (chat("hi", "other", "two"), chat("hi", first, "other")):
        refused = await gateway.client.post(COMPLETIONS, json=changed, headers=KEY)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "key.reused")


async def test_parallel_repeats_under_a_key_are_asked_once(gateway: RunningGateway) -> None:
    first = await complete(gateway, "hi")
    requests = [gateway.client.post(COMPLETIONS, json=chat("hi", first, "two"), headers=KEY) for _ in range(10)]
    responses = await asyncio.gather(*requests)
    assert len({response.content for response in responses}) == 1
    assert len(asked_tokens(gateway)) == 2


async def test_an_event_source_resumes_where_it_stopped_without_asking_again(store: Store) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = [Delta("a"), Delta("b"), Delta("c"), Final("abcd")]
        body = chat("hi", stream=True, stream_options={"include_usage": True})
        whole = (await gateway.client.post(COMPLETIONS, json=body, headers=EVENTS)).text
        opening, *events = whole.split("\n\n")[:-1]
        answer = opening.rpartition("id: ")[2].removesuffix(".0")
        for number, event in enumerate(events):
            last = event.partition("\nid: ")[2]
            if not last:
                continue
            headers = EVENTS | {"last-event-id": last}
            rest = (await other.client.post(COMPLETIONS, json=body, headers=headers)).text.split("\n\n")[:-1]
            assert rest == events[number + 1 :]
        assert answer
        assert len(asked_tokens(gateway)) == 1
        mistaken = EVENTS | {"last-event-id": f"{answer}.2"}
        refused = await other.client.post(COMPLETIONS, json=chat("other", stream=True), headers=mistaken)
        assert refused.status_code == 404


PIECES = (
    Delta("", model="served", pieces=(Piece(0, "reasoning", "hm"),)),
    Delta("a", pieces=(Piece(1, "text", "a"), Piece(2, "tool_call", '{"a"', "c1", "add"))),
    Delta("", pieces=(Piece(2, "tool_call", ": 1}"), Piece(3, "tool_call", "", "c2", "sub"))),
    Delta("", pieces=(Piece(3, "tool_call", "{}"),)),
)
BLOCKS = (
    Block("reasoning", "hm"),
    Block("text", "a"),
    Block("tool_call", '{"a": 1}', "c1", "add"),
    Block("tool_call", "{}", "c2", "sub"),
)
CALLS = Final("a", blocks=BLOCKS, ended="tool_calls", model="served", usage=Usage(1, 2, cached=1))


@pytest.mark.parametrize("body", [{"seed": 1}, {"seed": 1, "stream_options": {"include_usage": True}}])
async def test_an_answer_of_blocks_resumes_at_every_event_with_equal_bytes(store: Store, body: dict[str, Any]) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = [*PIECES, CALLS]
        asked, headers = chat("hi", stream=True, **body), EVENTS | KEY
        whole = (await gateway.client.post(COMPLETIONS, json=asked, headers=headers)).text
        # The original request, at another gateway.
        assert (await other.client.post(COMPLETIONS, json=asked, headers=headers)).text == whole
        events = whole.split("\n\n")[:-1]
        ids = [event.partition("\nid: ")[2] for event in events]
        assert len([id_ for id_ in ids if id_]) == len(PIECES) + 2
        for number, id_ in enumerate(ids):
            if id_:
                resumed = headers | {"last-event-id": id_}
                rest = (await other.client.post(COMPLETIONS, json=asked, headers=resumed)).text
                assert rest.split("\n\n")[:-1] == events[number + 1 :]
        assert len(asked_tokens(gateway)) == 1


async def test_a_round_of_tools_continues_its_conversation_whatever_the_ids(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [*PIECES, CALLS]
    body = chat("hi", seed=1)
    answer = (await gateway.client.post(COMPLETIONS, json=body)).json()["choices"][0]["message"]
    assert [call["id"] for call in answer["tool_calls"]] == ["c1", "c2"]
    # As a client sends it back that knows nothing of reasoning, and writes JSON its own way.
    functions = [{"name": "add", "arguments": '{"a":1}'}, {"name": "sub", "arguments": "{}"}]
    calls = [{"id": f"x{number}", "type": "function", "function": each} for number, each in enumerate(functions)]
    body["messages"] += [
        {"role": "assistant", "content": "a", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "42"} for call in calls),
    ]
    assert (await gateway.client.post(COMPLETIONS, json=body)).status_code == 200
    assert len(set(asked_tokens(gateway))) == 1
    (_, first), (_, second) = gateway.worker.asked
    assert isinstance(first, Prompted)
    assert isinstance(second, Prompted)
    assert [message.role for message in second.prompt.messages] == ["user", "assistant", "tool", "tool"]


async def test_the_prompt_of_a_job_has_the_session_and_headers_of_its_request(gateway: RunningGateway) -> None:
    body = chat("hi", prompt_cache_key="key", stream_options={"include_usage": True}, functions=[])
    await gateway.client.post(COMPLETIONS, json=body)
    await gateway.client.post(COMPLETIONS, json=body, headers={"x-session-id": "mine", "openai-beta": "b=1"})
    first, second = (work for _, work in gateway.worker.asked)
    assert isinstance(first, Prompted)
    assert isinstance(second, Prompted)
    assert (first.prompt.session, first.prompt.headers, first.include_usage) == ("key", {}, True)
    assert (second.prompt.session, second.prompt.headers) == ("mine", {"openai-beta": "b=1"})
    assert first.prompt.options == {"prompt_cache_key": "key"}


async def test_a_question_in_text_is_the_same_job_as_ever(gateway: RunningGateway) -> None:
    body = chat("hi", stop=["x"], stream_options={"include_usage": True}, user="u", store=False, metadata={"a": "b"})
    await gateway.client.post(COMPLETIONS, json=body, headers={"x-session-id": "mine"})
    (work,) = asked_chats(gateway)
    assert work == Chat("balanced", "hi", request=work.request)


async def test_a_response_in_text_is_a_prompt_that_says_what_comes_back(gateway: RunningGateway) -> None:
    body = {"model": "bing-balanced", "input": "hi", "instructions": "be brief", "store": False}
    assert (await gateway.client.post("/v1/responses", json=body)).status_code == 200
    (work,) = asked_chats(gateway)
    assert isinstance(work, Prompted)
    assert (work.style, work.instructions, work.question, work.history) == ("balanced", "be brief", "hi", ())
    assert (work.prompt.dialect, work.stored, work.echo["instructions"]) == ("responses", False, "be brief")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (COMPLETIONS, chat("hi", seed=1, stream=True)),
        ("/v1/responses", {"model": MODEL, "input": "hi", "stream": True}),
    ],
)
async def test_what_was_asked_in_text_for_an_old_worker_resumes(store: Store, path: str, asked: dict[str, Any]) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        asked = asked | {"stream": True}
        old = Reporter(store, "worker", "old", lambda: ProcessLoad("0.1.0"), dict, lambda: False)
        await old.report()
        whole = (await gateway.client.post(path, json=asked, headers=EVENTS)).text
        assert [type(work) for work in asked_chats(gateway)] == [Chat]
        events = whole.split("\n\n")
        first = next(event.partition("\nid: ")[2] for event in events if "\nid: " in event and ".0" not in event)
        resumed = await other.client.post(path, json=asked, headers=EVENTS | {"last-event-id": first})
        assert resumed.status_code == 200
        assert whole.endswith(resumed.text)
        assert len(asked_chats(gateway)) == 1


# Stops, logs, and ids of other answers


async def test_an_answer_that_can_not_be_stopped_upstream_is_complete_all_the_same(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop sequence ends the answer here; without Redis it only runs on upstream."""

    async def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(Jobs, "stop", away)
    gateway.worker.scripts["hi"] = [Delta("one STOP two"), Final("one STOP two")]
    with capture_logs() as logs:
        response = await gateway.client.post(COMPLETIONS, json=chat("hi", stop=["STOP"]))
    assert response.json()["choices"][0]["message"]["content"] == "one "
    (line,) = [line for line in logs if line["event"] == "answer not stopped"]
    assert (line["answer"], line["cause"]) == (response.headers["x-answer-id"], "away")
    await complete(gateway, "hi", "one ", "on")
    assert len(set(asked_tokens(gateway))) == 1


async def test_a_question_is_logged_once_however_often_it_is_repeated(gateway: RunningGateway) -> None:
    with capture_logs() as logs:
        responses = [await gateway.client.post(COMPLETIONS, json=chat("hi"), headers=KEY) for _ in range(3)]
    (answer,) = {response.headers["x-answer-id"] for response in responses}
    assert [line["answer"] for line in logs if line["event"] == "question accepted"] == [answer]


async def test_the_answer_to_an_image_request_is_no_response(gateway: RunningGateway) -> None:
    gateway.worker.scripts["cat"] = [Final("", images=("https://e.org/1.png",))]
    image = await gateway.client.post("/v1/images/generations", json={"prompt": "cat"})
    assert image.status_code == 200, image.text
    response = await gateway.client.get(f"/v1/responses/resp_{image.headers['x-answer-id']}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


ASKED = {"messages": [{"role": "user", "content": "hi"}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_servers_model_gets_a_prompt_and_what_it_cannot_take_is_named(
    gateway: RunningGateway, stream: bool
) -> None:
    await gateway.announce("secret", "org/m", abilities=["tools"])
    body = ASKED | {"model": "org/m", "temperature": 1, "seed": 7, "max_tokens": 5, "tools": [TOOL], "stream": stream}
    response = await gateway.client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200
    assert response.headers["x-ignored-parameters"] == "temperature, seed"
    ((_, work),) = gateway.worker.asked
    assert isinstance(work, Prompted)
    assert (work.prompt.model, work.prompt.ignored) == ("org/m", ("temperature", "seed"))


async def test_a_style_ignores_all_that_text_cannot_say(gateway: RunningGateway) -> None:
    body = ASKED | {"model": "bing-precise", "temperature": 1, "max_tokens": 5}
    response = await gateway.client.post("/v1/chat/completions", json=body)
    assert response.headers["x-ignored-parameters"] == "temperature, max_tokens"
    plain = await gateway.client.post("/v1/chat/completions", json=ASKED | {"model": "bing-precise"})
    assert "x-ignored-parameters" not in plain.headers


async def test_a_response_names_what_is_ignored_by_its_own_names(gateway: RunningGateway) -> None:
    body = {"model": "bing-precise", "input": "hi", "max_output_tokens": 5, "reasoning": {"effort": "low"}}
    response = await gateway.client.post(
        "/v1/responses", json=body | {"truncation": "auto", "text": {"verbosity": "low"}}
    )
    assert response.headers["x-ignored-parameters"] == "reasoning, max_output_tokens, text.verbosity, truncation"
    ((_, work),) = gateway.worker.asked
    assert isinstance(work, Prompted)
    assert work.prompt.ignored == ("reasoning_effort", "max_tokens", "verbosity", "truncation")


async def test_what_no_account_of_a_model_can_do_is_refused_by_name(gateway: RunningGateway) -> None:
    await gateway.announce("secret", "org/m", abilities=["sampling"])
    for model in ("org/m", "bing-balanced"):
        body = ASKED | {"model": model, "tools": [TOOL]}
        error = (await gateway.client.post("/v1/chat/completions", json=body)).json()["error"]
        assert (error["param"], error["code"]) == ("tools", "unsupported_parameter")
        asked = {"model": model, "input": "hi", "text": {"format": {"type": "json_object"}}}
        error = (await gateway.client.post("/v1/responses", json=asked)).json()["error"]
        assert (error["param"], error["code"]) == ("text.format", "unsupported_parameter")
    assert gateway.worker.asked == []


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("org/n", 404, "model_not_found"), ("away", 503, "model.away"), ("", 400, "invalid_type")],
)
async def test_a_model_that_is_unknown_or_away_is_not_asked(
    gateway: RunningGateway, model: str, status: int, code: str
) -> None:
    await gateway.announce("secret", "org/m")
    await gateway.announce("gone", "away")
    await gateway.lose_account("gone")
    response = await gateway.client.post("/v1/chat/completions", json=ASKED | {"model": model})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in response.headers) == (status == 503)
    assert gateway.worker.asked == []


# Memory


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": "slow"}]}),
        ("completions", {"prompt": "slow"}),
        ("responses", {"input": "slow"}),
        ("messages", {"messages": [{"role": "user", "content": "slow"}], "max_tokens": 9}),
    ],
)
async def test_nothing_of_a_request_is_held_while_its_answer_is_awaited(
    gateway: RunningGateway, path: str, given: dict[str, Any]
) -> None:
    """Dozens may be awaited at a time, and each body may have megabytes."""
    gate = asyncio.Event()
    gateway.worker.scripts["slow"] = [gate, Final("yes")]
    asking = asyncio.create_task(gateway.client.post(f"/v1/{path}", json={"model": MODEL, **given}))
    await until(lambda: bool(gateway.worker.asked))
    await until(lambda: not any(isinstance(one, CompletionRequest) for one in gc.get_objects()))
    gate.set()
    assert (await asking).status_code == 200
