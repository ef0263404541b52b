"""The conversation that a list of messages continues: a model of many clients that fork, edit, repeat and fail."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from structlog.testing import capture_logs

from gateway.answering.drain import ActiveRequests
from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import Relay
from gateway.answering.submit import Questions
from gateway.auth.clients import Clients
from gateway.http.answer_reads import AnswerReads
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.conversations import ConversationDigests, ConversationLookup, Thread
from gateway.openai.messages import parse_messages
from gateway.openai.requests import CompletionRequest
from gateway.openai.responses.stored_responses import StoredResponses
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.ops.metrics import first_text_histogram
from gateway.settings import GatewaySettings
from tests.support.redis_client import redis_client
from tests.support.wire.submitted_work import read_work
from wire import keys
from wire.answers import Answers
from wire.conversation_index import ConversationIndex as Index
from wire.conversation_index import IndexedConversation
from wire.hmac_secret import HmacSecret
from wire.jobs import Client, Jobs
from wire.ledger import Ledger
from wire.messages import Chat, Final, HistoryMessage
from wire.prompt import Message, Opaque, Picture, Prompt, PromptRole, Text, ToolCall
from wire.prompt_text import to_text
from wire.redis.store import Store
from wire.response_memory import ResponseMemory
from wire.shared_read import SharedRead

Talk = tuple[HistoryMessage, ...]
LIMIT = 8


def text_message(role: PromptRole, text: str) -> Message:
    return Message(role, (Text(text),), string=True)


def request(key: str) -> Request:
    headers = [(b"authorization", f"Bearer {key}".encode())]
    state = {"request_id": "r"}
    return Request(
        {"type": "http", "method": "POST", "path": "/v1", "query_string": b"", "headers": headers, "state": state}
    )


def service(store: Store, limit: int = LIMIT) -> QuestionService:
    secret = HmacSecret(store, b"s" * 32)
    limits = GatewaySettings(queue_limit=10_000, mailbox_limit=10_000, client_limit=10_000)
    jobs, answers = Jobs(store, limits), Answers(store)
    relay = Relay(jobs, answers, ActiveRequests(), 60, 60, first_text_histogram())
    lookup = ConversationLookup(secret, Index(store, 60, limit))
    reader = SharedRead(Ledger(store).read_models)
    stored = StoredResponses(ResponseMemory(store, jobs.memory, 60), answers, limits.max_body)
    return QuestionService(
        Questions(relay, Idempotency(secret)), Clients(), lookup, reader, stored, AnswerReads(Clients())
    )


@dataclass
class Upstream:
    """What each token's conversation was really sent, and by which client, as workers see it."""

    conversations: dict[str, Talk] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)

    async def conversation_of(self, store: Store, question: SubmittedQuestion, owner: str) -> Talk:
        """The conversation of a question, with it; a fresh one gets the history."""
        work = await read_work(store, question.answer)
        assert isinstance(work, Chat)
        instructions = (HistoryMessage("system", work.instructions),) if work.instructions else ()
        before = self.conversations.get(question.submission.token, (*instructions, *work.history))
        assert self.owner.setdefault(question.submission.token, owner) == owner, "a conversation is never shared"
        return (*before, HistoryMessage("user", work.question))


@dataclass
class World:
    """Clients, each with the conversations that it knows."""

    store: Store
    service: QuestionService
    upstream: Upstream = field(default_factory=Upstream)
    known: dict[str, list[Talk]] = field(default_factory=dict)
    continued: int = 0

    async def turn(self, owner: str, before: Talk, question: str, answer: str, ending: str, copies: int) -> None:
        """The same question, sent so many times at once."""
        messages_sent = (*before, HistoryMessage("user", question))
        messages = [{"role": submitted.role, "content": submitted.text} for submitted in messages_sent]
        parsed_messages = parse_messages(messages, "messages")
        parsed = CompletionRequest(
            Prompt("chat", "bing-balanced", parsed_messages), to_text(parsed_messages), stream=False
        )
        name, _, key = owner.partition("/")
        sent, client = request(key), Client(name)
        questions = await asyncio.gather(*(self.service.ask(sent, client, {}, parsed) for _ in range(copies)))
        assert len({question.submission.token for question in questions}) == copies, "no answer is gone on from twice"
        for submitted in questions:
            self.continued += submitted.submission.token in self.upstream.conversations
            conversation = await self.upstream.conversation_of(self.store, submitted, owner)
            assert conversation == messages_sent, "a conversation goes on only from just what was said in it"
            if ending == "unspent":
                assert await self.service.questions.relay.jobs.expire(submitted.answer)
                continue
            self.upstream.conversations[submitted.submission.token] = (
                *conversation,
                HistoryMessage("assistant", answer if ending == "done" else "half"),
            )
            if ending == "done":
                assembler = AnswerAssembler()
                assembler.add(Final(f" {answer}\n"))
                await submitted.finish(assembler, assembler.blocks)
                self.known.setdefault(owner, []).append((*messages_sent, HistoryMessage("assistant", answer)))


WHO = st.sampled_from(["address:1/key", "address:1/other key", "address:2/key"])
TEXT = st.sampled_from(["a", "b"])
STEP = st.tuples(
    WHO,
    st.integers(0, 5),
    st.booleans(),
    TEXT,
    TEXT,
    st.sampled_from(["done", "done", "done", "failed", "unspent"]),
    st.sampled_from([1, 1, 1, 3]),
)


def edited(before: Talk, edit: bool) -> Talk:
    return (HistoryMessage(before[0].role, "edited"), *before[1:]) if edit and before else before


def on_a_store(play: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = Store("memory://")
        await play(store)
        await store.close()

    asyncio.run(run())


@settings(max_examples=60)
@given(st.lists(STEP, max_size=12))
def test_no_conversation_is_shared_or_continued_twice(
    steps: list[tuple[str, int, bool, str, str, str, int]],
) -> None:
    async def play(store: Store) -> None:
        world = World(store, service(store))
        for owner, number, edit, question, answer, ending, copies in steps:
            talks: list[Talk] = [(), (HistoryMessage("system", "be brief"),), *world.known.get(owner, [])]
            before = talks[-number] if 0 < number <= len(talks) else talks[0]
            await world.turn(owner, edited(before, edit), question, answer, ending, copies)
            states = await redis_client(store).keys("*conversation:*")
            assert len(states) == await redis_client(store).zcard(keys.conversations_key()) <= LIMIT

    on_a_store(play)


def test_a_client_that_sends_its_history_continues_its_conversation() -> None:
    async def play(store: Store) -> None:
        world = World(store, service(store))
        before: Talk = (HistoryMessage("system", "be brief"),)
        for question, ending in (("a", "done"), ("b", "unspent"), ("b", "done"), ("a", "done")):
            await world.turn("address:1/key", before, question, "yes", ending, 1)
            before = world.known["address:1/key"][-1]
        assert world.continued == 3
        assert len(world.upstream.conversations) == 1

    on_a_store(play)


def test_another_key_from_the_same_address_continues_nothing() -> None:
    async def play(store: Store) -> None:
        world = World(store, service(store))
        await world.turn("address:1/key", (), "a", "yes", "done", 1)
        (before,) = world.known["address:1/key"]
        for owner in ("address:1/other key", "address:2/key"):
            await world.turn(owner, before, "b", "yes", "done", 1)
        assert world.continued == 0
        await world.turn("address:1/key", before, "b", "yes", "done", 1)
        assert world.continued == 1

    on_a_store(play)


def test_neither_states_nor_tokens_are_the_same_for_two_clients() -> None:
    history = [text_message("user", "a"), text_message("assistant", "b")]
    first, second = ConversationDigests(b"s" * 32, "one"), ConversationDigests(b"s" * 32, "other")
    assert (
        first.history_state(history)
        == first.history_state(history[1:], first.history_state(history[:1]))
        == ConversationDigests(b"s" * 32, "one").history_state(history)
    )
    assert (
        len(
            {
                first.history_state(history),
                second.history_state(history),
                ConversationDigests(b"t" * 32, "one").history_state(history),
            }
        )
        == 3
    )
    assert first.derive_token("x") != second.derive_token("x") != first.derive_token("y")
    assert first.history_state([text_message("user", "a"), text_message("user", "b")]) != first.history_state(
        [text_message("user", "ab")]
    )
    assert first.history_state([text_message("user", " a\n")]) == first.history_state([text_message("user", "a")])


def test_the_state_of_a_text_is_that_of_version_0_1() -> None:
    """A conversation continues over the update. The digest is one of commit 653f246."""
    parts = Message("user", (Text("a"), Text("b")))
    history = [
        text_message("developer", "be brief"),
        parts,
        text_message("assistant", " yes\n"),
        text_message("tool", "2"),
        text_message("user", "你"),
    ]
    assert ConversationDigests(b"s" * 32, "one").history_state(history) == (
        "a9cba0167fdae10d9be4741ec0ecb615a973b1de44c59c713a3081dcdee75852"
    )


PICTURES = [Picture("https://e.org/1.png"), Picture("https://e.org/2.png")]
CALL = ToolCall("c1", "add", '{"a": 1, "b": 2}', extra={"extra_content": {}})
SAME_CALL = ToolCall("other", "add", '{"b":2,"a":1}')


def test_a_state_has_what_was_said_without_ids_and_extra_fields() -> None:
    digests = ConversationDigests(b"s" * 32, "one")
    talks: list[list[list[Message]]] = [
        [[Message("user", (Text("a", {"x": 1}),), extra={"y": 2})], [text_message("user", "a")]],
        [[Message("assistant", calls=(CALL,), extra={"reasoning": "r"})], [Message("assistant", calls=(SAME_CALL,))]],
        [[Message("tool", (Text("2"),), call_id="c1")], [Message("tool", (Text("2"),), call_id="c2")]],
        [[Message("user", (PICTURES[0],))]],
        [[Message("user", (PICTURES[1],))]],
        [[Message("user")]],
        [[Message("assistant", calls=(CALL, CALL))]],
        [[Message("assistant", (Opaque({"type": "audio", "a": 1}),))]],
        [[Message("assistant", (Opaque({"type": "audio", "a": 2}),))]],
    ]
    states = [{digests.history_state(talk) for talk in same} for same in talks]
    assert all(len(same) == 1 for same in states)
    assert len(set.union(*states)) == len(talks)


@pytest.mark.anyio
async def test_without_redis_an_answer_goes_out_all_the_same() -> None:
    store = Store("redis://127.0.0.1:1/0")
    conversations = service(store).conversations
    with capture_logs() as logs:
        await conversations.record(
            "c",
            Thread(ConversationDigests(b"", ""), None, state="s"),
            IndexedConversation("t", "a"),
            text_message("assistant", "b"),
        )
    await store.close()
    assert [entry["event"] for entry in logs] == ["could not save the conversation index"]
