"""Whole workers before the stand-in's face of Anthropic's API: conversations, second rounds, refusals."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from emulator.server import Emulator
from tests.support.worker.harness import Client, HookedStore, pool_on, settings_with
from tests.support.worker.running_worker import drained
from wire.blocks import Block, join_text
from wire.jobs import Client as Asker
from wire.jobs import Jobs, new_answer_id, new_token
from wire.messages import Failed, Final, Prompted, apply_to_blocks
from wire.prompt import AnswerFormat, Dialect, Message, Opaque, Prompt, Text, Thought, Tool, ToolCall, ToolChoice
from worker.accounts.account import Account, ServerAccount
from worker.providers.envelope import PREFIX
from worker.providers.registry import ProviderRegistry, Upstream
from worker.status import status_reporter
from worker.worker import Worker, new_worker_id

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("function", "get_weather", "The weather in a city.", SCHEMA)
QUESTION = Message("user", (Text('hi !tool=get_weather {"city":"Paris"} !tool=get_weather'),), string=True)
ALICE = Asker("key:alice", "alice")
ADAPTIVE = {"type": "adaptive"}


def claude(bing: Emulator, name: str = "x", **changed: Any) -> ServerAccount:
    """An account at the emulator's face of Anthropic's API."""
    return ServerAccount(name, bing.url, "stand-in", name, provider="anthropic", **changed)


@asynccontextmanager
async def worker(store: HookedStore, *accounts: Account) -> AsyncIterator[None]:
    """Run a worker with these accounts."""
    settings = settings_with(drain_timeout=3.0, idle_timeout=1.0)
    pool = pool_on(store, settings, accounts, worker=new_worker_id())
    upstream = Upstream(settings, pool, ProviderRegistry(settings))
    async with drained(Worker(settings, store, upstream, status_reporter)):
        yield


async def ask(client: Client, *messages: Message, dialect: Dialect = "chat", **more: Any) -> Final | Failed:
    """Ask once, and check that the answer's events add up to its end."""
    prompt = Prompt(dialect, more.pop("model", "stand-in"), messages, **more)
    answer, jobs = new_answer_id(), Jobs(client.store, client.limits)
    await jobs.submit(answer, Prompted("balanced", "", prompt=prompt), new_token(), create=True, client=ALICE)
    events = await client.events(answer)
    end = events[-1]
    assert isinstance(end, Final | Failed)
    blocks: list[Block] = []
    for event in events[:-1]:
        apply_to_blocks(blocks, event)
    if isinstance(end, Final):
        assert blocks == list(end.all_blocks)
    return end


def to_messages(end: Final, dialect: Dialect, *, drops: bool) -> list[Message]:
    """An answer as its client sends it back: with its thoughts where the API has them, or without any."""
    blocks = end.all_blocks
    calls = tuple(ToolCall(block.id, block.name, block.text) for block in blocks if block.kind == "tool_call")
    texts: list[Any] = [Text(join_text(blocks))] if join_text(blocks) else []
    thoughts = [block for block in blocks if block.kind == "reasoning"]
    if drops:
        answer = Message("assistant", tuple(texts), calls=calls)
    elif dialect == "chat":
        shown = [{"type": "thinking", "thinking": block.text, **block.extra} for block in thoughts]
        answer = Message("assistant", tuple(texts), calls=calls, extra={"thinking_blocks": shown})
    else:
        parts = (*(Thought(block.text, block.extra) for block in thoughts), *texts)
        answer = Message("assistant", parts, calls=calls)
    return [answer, *(Message("tool", (Text("sunny"),), string=True, call_id=call.id) for call in calls)]


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("dialect", ["chat", "responses", "anthropic"])
async def test_rounds_of_a_thinking_model_continue_whatever_the_client_drops(
    store: HookedStore, client: Client, bing: Emulator, dialect: Dialect, drops: bool
) -> None:
    budget = {"type": "enabled", "budget_tokens": 1024}
    options = {"max_tokens": 4096, "thinking": budget}
    messages = [QUESTION]
    async with worker(store, claude(bing)):
        for _ in range(2):
            end = await ask(client, *messages, dialect=dialect, tools=(WEATHER,), options=options)
            assert isinstance(end, Final), end
            assert end.end_reason == "tool_calls"
            messages += to_messages(end, dialect, drops=drops)
        last = await ask(client, *messages, dialect=dialect, tools=(WEATHER,), options=options)
    assert isinstance(last, Final), last
    assert "get_weather returned: sunny" in last.text
    assert len(bing.ledger.turns) == 3
    request = bing.ledger.turns[-1].request
    assert request is not None
    answers = [message["content"] for message in request.messages if message["role"] == "assistant"]
    assert [[block["type"] for block in content] for content in answers] == [["thinking", "tool_use"]] * 2
    assert request.parameters["thinking"] == budget
    assert PREFIX not in str(request)


async def test_a_thought_that_its_client_changed_is_left_out_once(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    async with worker(store, claude(bing)):
        end = await ask(client, QUESTION, dialect="anthropic", tools=(WEATHER,), options={"thinking": ADAPTIVE})
        assert isinstance(end, Final), end
        answer, result = to_messages(end, "anthropic", drops=False)
        thought = answer.parts[0]
        assert isinstance(thought, Thought)
        changed = msgspec.structs.replace(answer, parts=(msgspec.structs.replace(thought, text="other"),))
        last = await ask(client, QUESTION, changed, result, dialect="anthropic", tools=(WEATHER,))
    assert isinstance(last, Final), last
    requests = [turn.request for turn in bing.ledger.turns if turn.request]
    blocks = [[block["type"] for block in request.messages[1]["content"]] for request in requests[1:]]
    assert blocks == [["thinking", "tool_use"], ["tool_use"]]


async def test_another_models_thoughts_stay_here(store: HookedStore, client: Client, bing: Emulator) -> None:
    async with worker(store, claude(bing, further_models=("stand-in-mini",))):
        end = await ask(client, QUESTION, dialect="anthropic", tools=(WEATHER,), options={"thinking": ADAPTIVE})
        assert isinstance(end, Final), end
        messages = to_messages(end, "anthropic", drops=False)
        last = await ask(client, QUESTION, *messages, dialect="anthropic", model="stand-in-mini", tools=(WEATHER,))
    assert isinstance(last, Final), last
    request = bing.ledger.turns[-1].request
    assert request is not None
    assert [block["type"] for block in request.messages[1]["content"]] == ["tool_use"]


async def test_an_effort_becomes_thinking(store: HookedStore, client: Client, bing: Emulator) -> None:
    asked = Message("user", (Text("hi"),), string=True)
    async with worker(store, claude(bing)):
        end = await ask(client, asked, options={"reasoning_effort": "low", "temperature": 0.2})
    assert isinstance(end, Final)
    assert [block.kind for block in end.all_blocks] == ["reasoning", "text"]
    request = bing.ledger.turns[0].request
    assert request is not None
    assert request.parameters["output_config"] == {"effort": "low"}


async def test_a_schema_and_a_forced_custom_tool_are_served(store: HookedStore, client: Client, bing: Emulator) -> None:
    asked = Message("user", (Text("hi"),), string=True)
    run = Tool("custom", "run")
    async with worker(store, claude(bing)):
        formed = await ask(client, asked, format=AnswerFormat("schema", "city", None, SCHEMA, strict=True))
        called = await ask(client, asked, tools=(run,), tool_choice=ToolChoice("required", ("run",), named=True))
    assert isinstance(formed, Final)
    assert msgspec.json.decode(formed.text).keys() == {"city"}
    assert isinstance(called, Final), called
    [call] = called.all_blocks
    assert (call.kind, call.name, call.custom) == ("tool_call", "run", True)


async def test_a_longer_answer_than_the_model_allows_is_asked_for_once_more(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    asked = Message("user", (Text("hi"),), string=True)
    async with worker(store, claude(bing, further_models=("stand-in-mini",))):
        for _ in range(2):
            end = await ask(client, asked, model="stand-in-mini", options={"max_tokens": 90_000})
            assert isinstance(end, Final), end
    limits = [turn.request.parameters["max_tokens"] for turn in bing.ledger.turns if turn.request]
    assert limits[-2:] == [8192, 8192]


async def test_what_this_api_has_no_form_for_is_refused_by_name(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    audio = Opaque({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}})
    asked = Message("user", (Text("hi"), audio))
    async with worker(store, claude(bing)):
        end = await ask(client, asked)
    assert isinstance(end, Failed)
    assert end.reason == "model.unable"
    assert "input_audio" in end.detail
    assert not bing.ledger.turns


@pytest.mark.parametrize("outcome", ["throttled=9", "quota", "unauthorized", "forbidden", "overloaded", "http-503"])
async def test_another_account_answers_after(store: HookedStore, client: Client, bing: Emulator, outcome: str) -> None:
    script: dict[str, Any] = {"account": "x", "chat": {"outcome": outcome}}
    bing.run_script(msgspec.json.encode(script))
    asked = Message("user", (Text("hi"),), string=True)
    async with worker(store, claude(bing, weight=1000.0), claude(bing, "y")):
        end = await ask(client, asked)
    assert isinstance(end, Final), end
    assert [turn.account for turn in bing.ledger.turns] == ["x", "y"]


@pytest.mark.parametrize("outcome", ["close-before", "http-504", "close-mid", "silence-mid", "overloaded-mid"])
async def test_what_may_have_been_answered_is_asked_once(
    store: HookedStore, client: Client, bing: Emulator, outcome: str
) -> None:
    bing.run_script(msgspec.json.encode({"account": "x", "chat": {"outcome": outcome}}))
    asked = Message("user", (Text("hi"),), string=True)
    async with worker(store, claude(bing, weight=1000.0), claude(bing, "y")):
        end = await ask(client, asked)
    assert isinstance(end, Failed), end
    assert len(bing.ledger.turns) == 1


ODD = (
    "surrogate-end", "open-mark", "pings", "batch", "split-record", "crlf", "tight", "unknown-type", "empty-events",
    "after-final", "no-done",
)  # fmt: skip


@pytest.mark.parametrize("outcome", ODD)
async def test_however_a_server_writes_its_events_the_text_is_its_text(
    store: HookedStore, client: Client, bing: Emulator, outcome: str
) -> None:
    bing.run_script(msgspec.json.encode({"account": "x", "chat": {"outcome": outcome}}))
    asked = Message("user", (Text("hi"),), string=True)
    async with worker(store, claude(bing)):
        finals = [await ask(client, asked) for _ in range(2)]
    texts = [end.text for end in finals if isinstance(end, Final)]
    assert len(texts) == 2, finals
    assert texts[0].startswith(texts[1]) or outcome in ("surrogate-end", "open-mark")


async def test_a_conversation_in_text_continues(store: HookedStore, client: Client, bing: Emulator) -> None:
    token = new_token()
    async with worker(store, claude(bing)):
        finals = [await client.end(await client.ask(question, token)) for question in ("one", "two")]
    assert all(isinstance(end, Final) for end in finals)
    first = finals[0]
    assert isinstance(first, Final)
    assert (first.provider, bing.ledger.turns[1].context) == ("anthropic", f"user: one\nassistant: {first.text}")


SCRIPTED: Sequence[dict[str, Any]] = [
    {"kind": "reasoning", "text": "hm", "extra": {"signature": "c2ln"}},
    {"kind": "reasoning", "text": "", "extra": {"data": "b3BhcXVl"}},
    {"kind": "text", "text": "so"},
]


async def test_signed_and_redacted_thoughts_go_back_byte_for_byte(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    bing.run_script(msgspec.json.encode({"account": "x", "answers": [{"blocks": SCRIPTED}]}))
    asked = Message("user", (Text("hi"),), string=True)
    async with worker(store, claude(bing)):
        end = await ask(client, asked, dialect="anthropic")
        assert isinstance(end, Final), end
        parts = tuple(
            Text(block.text) if block.kind == "text" else Thought(block.text, block.extra) for block in end.all_blocks
        )
        last = await ask(client, asked, Message("assistant", parts), asked, dialect="anthropic")
    assert isinstance(last, Final), last
    request = bing.ledger.turns[-1].request
    assert request is not None
    assert request.messages[1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": "so"},
    ]


async def test_a_conversation_can_move_from_a_server_of_another_api(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    other = ServerAccount("o", bing.openai_url, "stand-in-deepseek", "o")
    async with worker(store, other, claude(bing)):
        end = await ask(client, QUESTION, model="stand-in-deepseek", tools=(WEATHER,))
        assert isinstance(end, Final), end
        messages = to_messages(end, "responses", drops=False)
        last = await ask(client, QUESTION, *messages, dialect="responses", tools=(WEATHER,))
    assert isinstance(last, Final), last
    request = bing.ledger.turns[-1].request
    assert request is not None
    assert [block["type"] for block in request.messages[1]["content"]] == ["tool_use"]
    assert request.messages[2]["content"][0]["tool_use_id"] == request.messages[1]["content"][0]["id"]
