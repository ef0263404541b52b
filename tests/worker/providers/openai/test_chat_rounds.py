"""Whole workers before servers that want back what they gave with their calls: second rounds, whoever drops what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from emulator.openai.models import UNLISTED
from emulator.server import Emulator
from tests.support.worker.harness import Client, HookedStore, pool_on, settings_with
from tests.support.worker.openai_server import OpenAIServer, answering, refusing, whole
from tests.support.worker.running_worker import drained
from wire.blocks import Block, join_text
from wire.errors import StoreFullError
from wire.jobs import Client as Asker
from wire.jobs import Jobs, new_answer_id, new_token
from wire.messages import Delta, Failed, Final, Prompted, apply_to_blocks
from wire.prompt import Dialect, Message, Prompt, Text, Tool, ToolCall
from worker.accounts.account import ServerAccount
from worker.providers.envelope import PREFIX
from worker.providers.registry import ProviderRegistry, Upstream
from worker.status import status_reporter
from worker.worker import Worker, new_worker_id

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("function", "get_weather", "The weather in a city.", SCHEMA)
QUESTION = Message("user", (Text('hi !tool=get_weather {"city":"Paris"} !tool=get_weather'),), string=True)
ALICE = Asker("key:alice", "alice")


def worker(store: HookedStore, bing: Emulator) -> AbstractAsyncContextManager[None]:
    """Run a worker with one account at the emulator."""
    return worker_with(store, ServerAccount("x", bing.openai_url, "stand-in", "x", further_models=UNLISTED))


@asynccontextmanager
async def worker_with(store: HookedStore, account: ServerAccount) -> AsyncIterator[None]:
    settings = settings_with(drain_timeout=3.0)
    pool = pool_on(store, settings, [account], worker=new_worker_id())
    upstream = Upstream(settings, pool, ProviderRegistry(settings))
    async with drained(Worker(settings, store, upstream, status_reporter)):
        yield


class Conversation:
    """A client's conversation with one model, as a client of /v1 holds it: all messages each time."""

    def __init__(self, client: Client, server: str, **options: Any) -> None:
        self.client = client
        self.server = server
        self.options = options
        self.messages: list[Message] = [QUESTION]

    async def ask(self, asker: Asker = ALICE) -> Final | Failed:
        prompt = Prompt("chat", f"stand-in-{self.server}", tuple(self.messages), tools=(WEATHER,), options=self.options)
        answer, jobs = new_answer_id(), Jobs(self.client.store, self.client.limits)
        await jobs.submit(answer, Prompted("balanced", "", prompt=prompt), new_token(), create=True, client=asker)
        events = await self.client.events(answer)
        end = events[-1]
        blocks: list[Block] = []
        for event in events[:-1]:
            apply_to_blocks(blocks, event)
        assert isinstance(end, Final | Failed)
        if isinstance(end, Final):
            # A call that the limit of tokens has cut is none.
            whole_ones = blocks[:-1] if end.end_reason == "length" and blocks[-1].kind == "tool_call" else blocks
            assert whole_ones == list(end.all_blocks)
            assert isinstance(events[0], Delta)
        return end

    async def call(self) -> Final:
        """Ask, and append the answer's message with its call, and a result."""
        end = await self.ask()
        assert isinstance(end, Final), end
        assert end.end_reason == "tool_calls"
        self.messages.append(to_message(end))
        self.messages += [
            Message("tool", (Text("sunny"),), string=True, call_id=call.id) for call in self.messages[-1].calls
        ]
        return end

    def drop(self) -> None:
        """Drop all extra fields of the answers, as many clients do."""
        self.messages = [
            msgspec.structs.replace(
                message, extra={}, calls=tuple(msgspec.structs.replace(call, extra={}) for call in message.calls)
            )
            for message in self.messages
        ]


def to_message(end: Final) -> Message:
    """Return the message of an answer, as a client would send it back with everything."""
    extra: dict[str, Any] = {}
    for block in end.all_blocks:
        if block.kind != "tool_call":
            extra |= block.extra
    if reasoning := "".join(block.text for block in end.all_blocks if block.kind == "reasoning"):
        extra |= {"reasoning_content": reasoning, "reasoning": reasoning}
    calls = [block for block in end.all_blocks if block.kind == "tool_call"]
    text = join_text(end.all_blocks)
    return Message(
        "assistant",
        (Text(text),) if text else (),
        string=bool(text),
        calls=tuple(ToolCall(call.id, call.name, call.text, call.custom, call.extra) for call in calls),
        extra=extra,
    )


SERVERS = ("gemini", "deepseek", "openrouter", "mistral", "groq", "ollama", "vllm", "llama-cpp", "openai")


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("server", SERVERS)
async def test_rounds_go_on_whatever_the_client_drops(
    store: HookedStore, client: Client, bing: Emulator, server: str, drops: bool
) -> None:
    conversation = Conversation(client, server)
    async with worker(store, bing):
        for _ in range(2):
            await conversation.call()
            if drops:
                conversation.drop()
        last = await conversation.ask()
    assert isinstance(last, Final), last
    assert "get_weather returned: sunny" in last.text
    assert last.model == f"stand-in-{server}"


async def test_a_signature_leaves_in_an_envelope_and_comes_back_out_of_it(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    conversation = Conversation(client, "gemini")
    async with worker(store, bing):
        await conversation.call()
        [call] = conversation.messages[1].calls
        assert call.extra["extra_content"]["google"]["thought_signature"].startswith(PREFIX)
        await conversation.ask()
    request = bing.ledger.turns[-1].request
    assert request is not None
    assert PREFIX not in str(request)


async def test_a_conversation_can_move_to_a_server_that_wants_signatures(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    conversation = Conversation(client, "deepseek")
    async with worker(store, bing):
        await conversation.call()
        conversation.server = "gemini"
        last = await conversation.ask()
        assert isinstance(last, Final), last
        refused = len(bing.ledger.turns)
        assert isinstance(await conversation.ask(), Final)
    assert (refused, len(bing.ledger.turns)) == (3, 4)


async def test_what_one_client_got_another_does_not_get(store: HookedStore, client: Client, bing: Emulator) -> None:
    conversation = Conversation(client, "deepseek")
    async with worker(store, bing):
        await conversation.call()
        conversation.drop()
        end = await conversation.ask(Asker("key:bob", "bob"))
        assert isinstance(end, Failed)
        assert (end.reason, "reasoning_content" in end.detail) == ("question.invalid", True)
        assert isinstance(await conversation.ask(), Final)


@pytest.mark.parametrize("server", ["mistral", "groq", "openai"])
async def test_a_field_that_a_server_refuses_is_left_out_once_and_for_all(
    store: HookedStore, client: Client, bing: Emulator, server: str
) -> None:
    call = ToolCall("abcdefghi", "get_weather", '{"city":"Paris"}')
    earlier = Message("assistant", calls=(call,), extra={"reasoning_content": "hm"})
    conversation = Conversation(client, server)
    conversation.messages += [earlier, Message("tool", (Text("sunny"),), string=True, call_id="abcdefghi")]
    async with worker(store, bing):
        assert isinstance(await conversation.ask(), Final)
        assert len(bing.ledger.turns) == 2
        assert isinstance(await conversation.ask(), Final)
    assert len(bing.ledger.turns) == 3


@pytest.mark.parametrize(("dialect", "param"), [("chat", "top_k"), ("responses", "")])
async def test_a_refused_field_is_named_where_its_client_sent_it_by_that_name(
    store: HookedStore, client: Client, dialect: Dialect, param: str
) -> None:
    refusal = {"error": {"message": "Too large.", "type": "invalid_request_error", "param": "top_k", "code": None}}
    prompt = Prompt(dialect, "m", (QUESTION,), options={"top_k": 9})
    async with OpenAIServer(refusing(400, refusal)) as server, worker_with(store, server.account("x")):
        answer = new_answer_id()
        work = Prompted("balanced", "", prompt=prompt)
        await Jobs(client.store, client.limits).submit(answer, work, new_token(), create=True, client=ALICE)
        end = await client.end(answer)
    assert isinstance(end, Failed)
    assert (end.reason, end.detail, end.param) == ("question.invalid", "Too large.", param)


async def test_a_list_that_a_server_refuses_is_left_out_of_its_own_conversation_alone(
    store: HookedStore, client: Client
) -> None:
    conversations = [Conversation(client, "openrouter") for _ in range(2)]
    for conversation, key in zip(conversations, ("odd", "text"), strict=True):
        extra = {"reasoning_details": [{"type": "reasoning.text", key: "hm"}]}
        conversation.messages += [Message("assistant", (Text("a"),), string=True, extra=extra), QUESTION]
    words = "messages.1.reasoning_details.0: Unrecognized key(s) in object: 'odd'"

    async with OpenAIServer() as server:

        async def play(writer: asyncio.StreamWriter) -> None:
            is_odd = "odd" in str(server.asked[-1].json["messages"][1])
            await (refusing(400, {"error": {"message": words}}) if is_odd else answering(whole("hello")))(writer)

        server.play = play
        async with worker_with(store, server.account("x", further_models=("stand-in-openrouter",))):
            for conversation in conversations:
                assert isinstance(await conversation.ask(), Final)
    assert ["reasoning_details" in asked.json["messages"][1] for asked in server.asked] == [True, False, True]


async def test_a_conversation_can_move_to_a_server_that_takes_only_its_own_ids(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    conversation = Conversation(client, "openai")
    async with worker(store, bing):
        await conversation.call()
        conversation.server = "mistral"
        assert isinstance(await conversation.ask(), Final)
        assert len(bing.ledger.turns) == 3
        assert isinstance(await conversation.ask(), Final)
    assert len(bing.ledger.turns) == 4


async def test_a_server_that_refuses_every_signature_is_asked_twice(store: HookedStore, client: Client) -> None:
    conversation = Conversation(client, "claude")
    call = ToolCall("c", "get_weather", "{}", extra={"signature": "mine"})
    conversation.messages += [Message("assistant", calls=(call,)), Message("tool", (Text("sunny"),), call_id="c")]
    error = {"error": {"message": "messages.1.content.0: Invalid `signature` in `thinking` block"}}
    async with (
        OpenAIServer(refusing(400, error)) as server,
        worker_with(store, server.account("x", further_models=("stand-in-claude",))),
    ):
        end = await conversation.ask()
        assert isinstance(end, Failed)
        assert (end.reason, len(server.asked)) == ("question.invalid", 2)


async def test_a_server_gets_the_largest_number_of_tokens_under_its_name(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    conversation = Conversation(client, "openai-reasoning", max_tokens=1000)
    async with worker(store, bing):
        assert isinstance(await conversation.ask(), Final)
        assert isinstance(await conversation.ask(), Final)
    assert len(bing.ledger.turns) == 3


async def test_an_answer_ends_well_although_what_came_with_its_call_can_not_be_kept(
    store: HookedStore, client: Client, bing: Emulator
) -> None:
    async def refuse() -> None:
        raise StoreFullError

    store.before["remember"] = refuse
    conversation = Conversation(client, "deepseek")
    async with worker(store, bing):
        await conversation.call()
    assert store.tried["remember"] == 1


@pytest.mark.parametrize(
    ("server", "calls"),
    [
        ("calls-new-id", 2),
        ("calls-interleaved", 2),
        ("calls-no-id", 1),
        ("calls-no-index", 2),
        ("calls-bad-json", 1),
        ("calls-named-again", 1),
        ("calls-no-arguments", 1),
        ("calls-stop", 1),
        ("calls-cut", 0),
        ("calls-none", 0),
    ],
)
async def test_calls_of_broken_servers_are_whole_or_none(
    store: HookedStore, client: Client, bing: Emulator, server: str, calls: int
) -> None:
    conversation = Conversation(client, server)
    conversation.messages = [Message("user", (Text("hi"),), string=True)]
    async with worker(store, bing):
        end = await conversation.ask()
    if isinstance(end, Failed):
        assert (server, end.reason) == ("calls-none", "answer.empty")
        return
    found = [block for block in end.all_blocks if block.kind == "tool_call"]
    assert len(found) == calls
    assert all(block.id and block.name for block in found)
    assert len({block.id for block in found}) == calls
    assert end.end_reason == ("tool_calls" if calls else "length")
