"""The provider before a server that follows a test's script: requests, answers, refusals, and what is learnt."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.conditions import SOON
from tests.support.worker.message_events import call, content, encoded, message, opening, text, thinking, whole
from tests.support.worker.openai_server import (
    HEAD,
    KEY,
    OpenAIServer,
    Play,
    answering,
    piece,
    refusing,
    saying,
    stopping,
)
from wire.blocks import Block, Piece
from wire.messages import HistoryMessage, Style
from wire.prompt import Dialect, Message, Opaque, Prompt, Text, Thought, Tool, ToolCall
from wire.reasons import Reason
from wire.threads import LARGE
from worker.accounts.account import Account, CookieAccount, ServerAccount, StyleTemperatures
from worker.errors import UpstreamError
from worker.providers import AccountCheck, Completion, Growth, ModelSource
from worker.providers.anthropic.messages import AnthropicProvider, endpoint, key_headers, last_of_page
from worker.providers.envelope import PREFIX, Envelopes
from worker.providers.registry import chat_provider
from worker.providers.transcript import History
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

SETTINGS = WorkerSettings(connect_timeout=5.0)
HELLO = answering(encoded(message(text("hello"))))
QUESTION = Message("user", (Text("q"),), string=True)


async def unmarked() -> None:
    """Let every question pass, as before_send."""


def asked_for(*messages: Message, dialect: Dialect = "chat", **more: Any) -> History:
    return History(prompt=Prompt(dialect, "m", messages or (QUESTION,), **more), secret=b"secret")


async def ask(
    account: Account,
    history: History | None = None,
    provider: AnthropicProvider | None = None,
    style: Style = "balanced",
    before_send: Callable[[], Awaitable[None]] = unmarked,
) -> list[Growth | Completion]:
    async def recall() -> History:
        return History() if history is None else history

    async with asyncio.timeout(SOON):
        asking = (provider or AnthropicProvider(SETTINGS)).ask(account, None, style, "q", before_send, recall)
        return [update async for update in asking]


async def failure(account: Account, history: History | None = None, **more: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(account, history, **more)
    return caught.value


def answers(*plays: Play) -> Play:
    """Each play for one request, in their order."""
    rest = list(plays)

    async def play(writer: asyncio.StreamWriter) -> None:
        await rest.pop(0)(writer)

    return play


def invalid(words: str) -> Play:
    return refusing(400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}})


@pytest.mark.parametrize(("size", "beside"), [(10, False), (LARGE, True)])
async def test_a_large_request_is_built_beside_the_event_loop(
    size: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    open_prompt = Envelopes.open_prompt

    def opening_in(envelopes: Envelopes, prompt: Prompt) -> Prompt:
        built.append(threading.get_ident())
        return open_prompt(envelopes, prompt)

    monkeypatch.setattr(Envelopes, "open_prompt", opening_in)
    async with OpenAIServer(HELLO) as server:
        await ask(server.account(), asked_for(Message("user", (Text("x" * size),), string=True)))
    assert [thread != threading.get_ident() for thread in built] == [beside]
    assert server.asked[0].json["messages"] == [{"role": "user", "content": "x" * size}]


async def test_it_is_in_the_table_and_can_check_and_list() -> None:
    assert chat_provider("anthropic") is AnthropicProvider
    assert isinstance(AnthropicProvider(SETTINGS), AccountCheck)
    assert isinstance(AnthropicProvider(SETTINGS), ModelSource)
    assert (await failure(CookieAccount("x", {"_U": "x"}))).reason == Reason.ACCOUNT_REFUSED


async def test_an_answer_is_asked_for_and_comes_as_it_grows() -> None:
    first, *rest = (encoded([event]) for event in message(text("hello you"), size=6))
    async with OpenAIServer(answering(first, *rest)) as server:
        *shown, ended = await ask(server.account())
    assert isinstance(ended, Completion)
    assert (ended.text, ended.state, ended.blocks, ended.model) == ("hello you", b"", (), "m")
    assert [update.pieces for update in shown if isinstance(update, Growth) and update.pieces] == [
        (Piece(0, "text", "hello "),),
        (Piece(0, "text", "you"),),
    ]
    [request] = server.asked
    assert (request.method, request.target) == ("POST", "/v1/messages")
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    messages = [{"role": "user", "content": "q"}]
    assert request.json == {"model": "m", "max_tokens": 8192, "messages": messages, "stream": True}


async def test_a_ping_is_a_sign_of_life() -> None:
    data = [encoded([event]) for event in (opening(), {"type": "ping"})]
    async with OpenAIServer(stopping(HEAD, *map(piece, data))) as server:
        asking = AnthropicProvider(SETTINGS).ask(server.account(), None, "balanced", "q", unmarked)
        async with asyncio.timeout(SOON), aclosing(asking):
            assert await anext(asking) == Growth()


async def test_a_style_is_a_system_prompt_and_a_temperature_after_what_was_before() -> None:
    settings = SETTINGS.model_copy(update={"openai_system_creative": "All"})
    history = History("Be brief.", (HistoryMessage("user", "a"), HistoryMessage("assistant", "b")))
    async with OpenAIServer(HELLO) as server:
        account = server.account(temperatures=StyleTemperatures(creative=1.8))
        await ask(account, history, AnthropicProvider(settings), "creative")
    body = server.asked[0].json
    assert (body["system"], body["temperature"]) == ("All\n\nBe brief.", 1)
    assert [turn["content"] for turn in body["messages"]] == ["a", "b", "q"]


async def test_only_a_client_of_the_api_has_its_headers_passed_on() -> None:
    headers = {"anthropic-beta": "a,b", "anthropic-version": "2024-01-01", "x-other": "x"}
    async with OpenAIServer(HELLO) as server:
        for dialect in ("anthropic", "chat"):
            await ask(server.account(), asked_for(dialect=dialect, headers=headers))
    own, other = (request.headers for request in server.asked)
    assert (own["anthropic-beta"], own["anthropic-version"]) == ("a,b", "2024-01-01")
    assert ("anthropic-beta" in other, other["anthropic-version"]) == (False, "2023-06-01")
    assert "x-other" not in own


@pytest.mark.parametrize(
    ("base", "key", "sent"),
    [
        ("https://api.anthropic.com", "k", {b"x-api-key": b"k"}),
        ("https://api.anthropic.com", "sk-ant-oat-1", {b"Authorization": b"Bearer sk-ant-oat-1"}),
        ("https://me.services.ai.azure.com/anthropic", "k", {b"x-api-key": b"k"}),
        ("http://127.0.0.1:8000", "k", {b"x-api-key": b"k", b"Authorization": b"Bearer k"}),
        ("http://127.0.0.1:8000", "", {}),
    ],
)
def test_the_key_goes_out_in_the_ways_that_the_server_may_take(base: str, key: str, sent: dict[bytes, bytes]) -> None:
    headers = key_headers(ServerAccount("a", base, "m", key))
    assert headers == {b"anthropic-version": b"2023-06-01", **sent}


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("https://api.anthropic.com", "/v1/messages"),
        ("https://api.anthropic.com/v1/", "/messages"),
        ("https://host/anthropic?x=1", "/v1/messages"),
    ],
)
def test_the_base_may_have_the_versions_path_or_lack_it(base: str, path: str) -> None:
    assert endpoint(ServerAccount("a", base, "m"), "/messages") == path


async def test_thoughts_and_calls_come_and_go_as_they_were() -> None:
    blocks = [thinking("hm", "sig"), text("so"), call("add", {"a": 1.0})]
    async with OpenAIServer(answers(answering(encoded(message(*blocks, reason="tool_use"))), HELLO)) as server:
        ended = (await ask(server.account(), asked_for()))[-1]
        assert isinstance(ended, Completion)
        thought, words, called = ended.blocks
        assert thought.extra["signature"].startswith(PREFIX)
        answer = Message(
            "assistant",
            (Thought(thought.text, thought.extra), Text(words.text)),
            calls=(ToolCall(called.id, called.name, called.text),),
        )
        result = Message("tool", (Text("2"),), string=True, call_id=called.id)
        await ask(server.account(), asked_for(QUESTION, answer, result, dialect="anthropic"))
    turns = server.asked[1].json["messages"]
    assert turns[1] == {"role": "assistant", "content": blocks}
    assert b'{"a":1.0}' in server.asked[1].body
    assert PREFIX.encode() not in server.asked[1].body


async def test_what_a_client_drops_comes_back_before_the_calls() -> None:
    blocks = [thinking("hm", "sig"), call("add", {"a": 1})]
    async with OpenAIServer(answers(answering(encoded(message(*blocks, reason="tool_use"))), HELLO)) as server:
        ended = (await ask(server.account(), asked_for()))[-1]
        assert isinstance(ended, Completion)
        bare = Message("assistant", calls=(ToolCall("toolu_1", "add", '{"a": 1}'),))
        result = Message("tool", (Text("2"),), string=True, call_id="toolu_1")
        prompt = Prompt("chat", "m", (QUESTION, bare, result))
        await ask(server.account(), History(prompt=prompt, secret=b"secret", records=ended.records))
    assert server.asked[1].json["messages"][1]["content"] == blocks


async def test_a_custom_tools_call_is_read_back_as_its_text() -> None:
    play = answering(encoded(message(call("run", {"input": "ls"}), reason="tool_use")))
    async with OpenAIServer(play) as server:
        ended = (await ask(server.account(), asked_for(tools=(Tool("custom", "run"),))))[-1]
    assert isinstance(ended, Completion)
    assert ended.blocks == (Block("tool_call", "ls", "toolu_1", "run", custom=True),)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_may_come_whole(stream: bool) -> None:
    body = json.dumps(whole(text("hello"), reason="max_tokens")).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with OpenAIServer(saying(head, body)) as server:
        ended = (await ask(server.account(stream=stream)))[-1]
    assert isinstance(ended, Completion)
    assert (ended.text, ended.finish) == ("hello", "length")
    assert ("stream" in server.asked[0].json) is stream


@pytest.mark.parametrize(
    ("status", "kind", "words", "reason", "refused"),
    [
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", Reason.SESSION_TOO_LONG, True),
        (400, "invalid_request_error", "Your credit balance is too low to access", Reason.ACCOUNT_THROTTLED, True),
        (400, "invalid_request_error", "messages: no", Reason.QUESTION_INVALID, True),
        (401, "authentication_error", "invalid x-api-key", Reason.ACCOUNT_REFUSED, True),
        (403, "permission_error", "no", Reason.ACCOUNT_REFUSED, True),
        (404, "not_found_error", "model: m", Reason.ACCOUNT_REFUSED, True),
        (413, "request_too_large", "Request exceeds the maximum size", Reason.QUESTION_INVALID, True),
        (429, "rate_limit_error", "no", Reason.ACCOUNT_THROTTLED, True),
        (500, "api_error", "Internal server error", Reason.UPSTREAM_INTERNAL, True),
        (504, "timeout_error", "no", Reason.UPSTREAM_INTERNAL, False),
        (529, "overloaded_error", "Overloaded", Reason.UPSTREAM_BUSY, True),
    ],
)
async def test_each_refusal_has_its_reason(status: int, kind: str, words: str, reason: Reason, refused: bool) -> None:
    play = refusing(status, {"type": "error", "error": {"type": kind, "message": words}})
    async with OpenAIServer(play) as server:
        error = await failure(server.account())
    assert (error.reason, error.refused, error.repeat) == (reason, refused, False)


async def test_a_pause_is_the_servers_own_and_that_for_lack_of_credit_a_day() -> None:
    limits = {
        "anthropic_ratelimit_requests_remaining": "0",
        "anthropic_ratelimit_requests_reset": "2099-01-01T00:00:00Z",
    }
    limited = {"type": "error", "error": {"type": "rate_limit_error", "message": "no"}}
    plays = answers(
        refusing(429, limited, retry_after="7", **limits),
        refusing(429, limited, **limits),
        invalid("credit balance is too low"),
    )
    async with OpenAIServer(plays) as server:
        pauses = [(await failure(server.account())).retry_after for _ in range(3)]
    assert pauses == [7.0, 86400.0, None]


async def test_one_model_of_several_that_the_server_lacks_is_not_the_accounts_fault() -> None:
    play = refusing(404, {"type": "error", "error": {"type": "not_found_error", "message": "model: n"}})
    async with OpenAIServer(play) as server:
        account = server.account(further_models=("n",))
        error = await failure(account, History(prompt=Prompt("chat", "n", (QUESTION,)), secret=b"s"))
    assert (error.reason, error.elsewhere) == (Reason.MODEL_NONE, True)


@pytest.mark.parametrize("cut", [0, 2, 4])
async def test_a_stream_that_is_cut_is_no_answer(cut: int) -> None:
    data = encoded(message(text("hello"))[:cut])
    async with OpenAIServer(saying(HEAD, *([piece(data)] if data else []))) as server:
        error = await failure(server.account())
    assert (error.reason, error.refused) == (Reason.TRANSPORT_CLOSED, False)


async def test_a_cut_after_the_reason_of_its_end_undoes_nothing() -> None:
    data = encoded(message(text("hello"))[:-1])
    async with OpenAIServer(saying(HEAD, piece(data))) as server:
        ended = (await ask(server.account()))[-1]
    assert isinstance(ended, Completion)
    assert ended.text == "hello"


async def test_an_error_within_the_answer_comes_after_its_text() -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    data = encoded([opening(), *content(0, text("hello")), broken])
    async with OpenAIServer(answering(data)) as server:
        asking = AnthropicProvider(SETTINGS).ask(server.account(), None, "balanced", "q", unmarked)
        assert await anext(asking) == Growth((Piece(0, "text", "hell"), Piece(0, "text", "o")))
        with pytest.raises(UpstreamError) as caught:
            await anext(asking)
    assert (caught.value.reason, caught.value.refused) == (Reason.UPSTREAM_INTERNAL, False)


async def test_what_may_not_be_sent_is_not() -> None:
    async def veto() -> None:
        raise RuntimeError("no")

    async with OpenAIServer(HELLO) as server:
        with pytest.raises(RuntimeError):
            await ask(server.account(), before_send=veto)
    assert server.asked == []


async def test_what_the_api_has_no_form_for_is_refused_before_anything_is_sent() -> None:
    async with OpenAIServer(HELLO) as server:
        error = await failure(server.account(), asked_for(Message("user", (Opaque({"type": "input_audio"}),))))
    assert (error.reason, server.asked) == (Reason.MODEL_UNABLE, [])


async def learning(plays: Sequence[Play], history: History, **account: Any) -> list[dict[str, Any]]:
    """Ask until there is an answer, as a turn does, and return what was sent."""
    provider = AnthropicProvider(SETTINGS)
    async with OpenAIServer(answers(*plays)) as server:
        for _ in plays[:-1]:
            assert (await failure(server.account(**account), history, provider=provider)).repeat
        await ask(server.account(**account), history, provider)
    return [request.json for request in server.asked]


async def test_the_longest_answer_of_a_model_is_learnt() -> None:
    words = "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for m"
    bodies = await learning([invalid(words), HELLO], asked_for())
    assert [body["max_tokens"] for body in bodies] == [8192, 4096]


async def test_how_a_model_thinks_is_learnt() -> None:
    refusals = [
        invalid("adaptive thinking is not supported on this model"),
        invalid("thinking: Extra inputs are not permitted"),
    ]
    bodies = await learning([*refusals, HELLO], asked_for(options={"reasoning_effort": "low"}))
    assert [body.get("thinking") for body in bodies] == [
        {"type": "adaptive"},
        {"type": "enabled", "budget_tokens": 2048},
        None,
    ]


async def test_a_parameter_that_a_model_refuses_is_learnt() -> None:
    options = {"temperature": 0.5, "top_k": 3}
    words = ["`temperature` is deprecated for this model.", "`top_k` is not supported by this model"]
    bodies = await learning([*map(invalid, words), HELLO], asked_for(options=options))
    assert [sorted(options.keys() & body) for body in bodies] == [["temperature", "top_k"], ["top_k"], []]


async def test_a_refusal_that_quotes_its_client_changes_nothing_for_the_others() -> None:
    quoted = invalid("tools.0.name: thinking, stream and temperature are unsupported")
    provider, history = AnthropicProvider(SETTINGS), asked_for(options={"reasoning_effort": "low"})
    async with OpenAIServer(quoted) as server:
        while (await failure(server.account(), history, provider=provider)).repeat:
            pass
        server.play = HELLO
        await ask(server.account(), asked_for(QUESTION, QUESTION, options={"reasoning_effort": "low"}), provider)
    first, *_, last = (request.json for request in server.asked)
    assert (last["thinking"], last["stream"]) == (first["thinking"], first["stream"])


async def test_a_client_of_the_api_reads_its_refusals_itself() -> None:
    options = {"temperature": 0.5, "max_tokens": 9000, "thinking": {"type": "adaptive"}}
    words = [
        "`temperature` is deprecated for this model.",
        "max_tokens: 9000 > 4096, which is the maximum",
        "adaptive thinking is not supported on this model",
    ]
    async with OpenAIServer(answers(*map(invalid, words))) as server:
        for sentence in words:
            error = await failure(server.account(), asked_for(dialect="anthropic", options=options))
            assert (error.repeat, error.words) == (False, sentence)


async def test_old_thoughts_that_are_refused_are_left_out_once() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    earlier = Message("assistant", (Text("a"),), string=True, extra={"thinking_blocks": [block]})
    history = asked_for(QUESTION, earlier, QUESTION)
    bodies = await learning([invalid("messages.1.content.0: Invalid `signature` in `thinking` block"), HELLO], history)
    assert [body["messages"][1]["content"] for body in bodies] == [
        [block, {"type": "text", "text": "a"}],
        "a",
    ]


async def test_streaming_that_is_refused_is_learnt() -> None:
    bodies = await learning([invalid("stream: streaming is not supported"), HELLO], asked_for())
    assert ["stream" in body for body in bodies] == [True, False]


async def test_all_pages_of_the_models_are_read() -> None:
    def page(*names: str, **more: Any) -> Play:
        data = json.dumps({"data": [{"type": "model", "id": name} for name in names], **more}).encode()
        return saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data), data)

    plays = answers(page("a", "b/c", has_more=True, last_id="b/c"), page("d", has_more=False, last_id="d"), page("e"))
    async with OpenAIServer(plays) as server:
        provider = AnthropicProvider(SETTINGS)
        assert await provider.list_models(server.account()) == ("a", "b/c", "d")
        await provider.check(server.account())
    targets = [request.target for request in server.asked]
    assert targets == ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=b%2Fc", "/v1/models"]
    assert {request.headers["x-api-key"] for request in server.asked} == {KEY}


async def test_all_pages_together_have_no_more_bytes_than_one_list() -> None:
    data = json.dumps({"data": ["a" * 1000] * 2200, "has_more": True, "last_id": "a"}).encode()
    page = saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data), data)
    async with OpenAIServer(answers(*[page] * 10)) as server:
        with pytest.raises(UpstreamError, match=r"upstream\.protocol"):
            await AnthropicProvider(SETTINGS).list_models(server.account())
    assert len(server.asked) == 2


def test_any_name_can_end_a_page() -> None:
    assert last_of_page(b'{"has_more": true, "last_id": "a&b\\ud800"}') == "a%26b%3F"
