"""What a question continues from: the input and the answers of all responses before it, or an error with a reason."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import MAX_MESSAGES
from gateway.openai.responses.chain import MOST_LINKS, ResponseChain, ResponseChains, complete_end, parse_answer
from wire.about import About
from wire.answers import Answers, Progress
from wire.blocks import Block
from wire.messages import Final
from wire.prompt import Message, Text
from wire.redis.store import Store
from wire.response_memory import STEP, ResponseMemory, StoredResponse
from wire.store_memory import StoreMemory
from wire.threads import LARGE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def memory() -> AsyncIterator[ResponseMemory]:
    store = Store("memory://")
    yield ResponseMemory(store, StoreMemory(store), 60)
    await store.close()


def answer(number: int) -> str:
    return f"s0-{number:032x}"


async def grow(memory: ResponseMemory, count: int, **rest: Any) -> None:
    """Store responses, each of which continues from the one before."""
    for number in range(count):
        before = tuple(answer(earlier) for earlier in reversed(range(number)))
        question = (Message("user", (Text(f"q{number}"),)),)
        start = StoredResponse("t", "me", About("chat"), 1, question, ancestors=before[:STEP], depth=number, **rest)
        await memory.write("me", answer(number), start)
        await memory.write_end("me", answer(number), Final(f"a{number}"))


async def load(
    memory: ResponseMemory,
    last: str,
    *,
    owner: str = "me",
    size: int = 1,
    limit: int = 10_000,
    admitted: list[int] | None = None,
) -> ResponseChain:
    async def admit(read: int) -> None:
        if admitted is not None:
            admitted.append(read)

    return await ResponseChains(memory, Answers(memory.store), limit).load(last, owner, "", size, admit)


async def refusal(memory: ResponseMemory, last: str, **rest: Any) -> str | None:
    with pytest.raises(InvalidRequestError) as caught:
        await load(memory, last, **rest)
    assert caught.value.fault.param == "previous_response_id"
    assert caught.value.fault.status == 400
    return caught.value.fault.code


@pytest.mark.parametrize("count", [1, STEP, STEP + 1, 3 * STEP + 2])
async def test_everything_before_is_there_in_its_order(memory: ResponseMemory, count: int) -> None:
    await grow(memory, count)
    chain = await load(memory, f"resp_{answer(count - 1)}")
    assert chain.answers == tuple(answer(number) for number in reversed(range(count)))
    assert [message.text for message in chain.messages] == [
        text for number in range(count) for text in (f"q{number}", f"a{number}")
    ]
    assert [message.role for message in chain.messages] == ["user", "assistant"] * count
    assert (chain.token, chain.whole) == ("t", True)


async def test_all_of_it_is_admitted_before_more_than_the_last_is_read(memory: ResponseMemory) -> None:
    await grow(memory, 2, size=10 * LARGE)
    for limit in (LARGE, 100 * LARGE):
        admitted = list[int]()
        if limit == LARGE:
            assert await refusal(memory, answer(1), limit=limit, admitted=admitted) == "context_length_exceeded"
            assert admitted == []
        else:
            await load(memory, answer(1), limit=limit, admitted=admitted)
            assert admitted[0] > 10 * LARGE


async def test_of_a_long_last_one_nobody_knows_how_much_comes_before_it(memory: ResponseMemory) -> None:
    long = Message("user", (Text("x" * 2 * LARGE),))
    await memory.write("me", answer(0), StoredResponse("t", "me", About("chat"), 1, (long,), size=3 * LARGE))
    await memory.write_end("me", answer(0), Final("a"))
    admitted = list[int]()
    await load(memory, answer(0), limit=100 * LARGE, admitted=admitted)
    assert admitted[0] == 100 * LARGE


async def test_a_missing_link_anywhere_is_a_response_that_is_not_found(memory: ResponseMemory) -> None:
    await grow(memory, STEP + 2)
    await memory.delete("me", answer(0))
    assert await refusal(memory, f"resp_{answer(STEP + 1)}") == "previous_response_not_found"
    for name in ("resp_x", f"resp_{answer(99)}", ""):
        assert await refusal(memory, name) == "previous_response_not_found"


async def test_nobody_else_continues_from_a_response(memory: ResponseMemory) -> None:
    await grow(memory, 1)
    assert await refusal(memory, answer(0), owner="you") == "previous_response_not_found"


async def test_what_is_too_long_is_refused_and_not_cut(memory: ResponseMemory) -> None:
    await grow(memory, 2, size=50)
    end = 1 + len(b'{"type":"final","text":"a1","urls":[]')
    assert (await load(memory, answer(1), size=1, limit=1000)).size > 50 + end
    assert await refusal(memory, answer(1), size=1000, limit=1000) == "context_length_exceeded"


async def test_it_has_at_most_so_many_links(memory: ResponseMemory) -> None:
    for depth, code in ((MOST_LINKS - 1, None), (MOST_LINKS, "context_length_exceeded")):
        start = StoredResponse("t", "me", About("chat"), 1, (), depth=depth)
        await memory.write("me", answer(depth), start)
        await memory.write_end("me", answer(depth), Final("a"))
        if code is None:
            await load(memory, answer(depth), limit=1000)
        else:
            assert await refusal(memory, answer(depth), limit=1000) == code


async def test_it_has_at_most_as_many_messages_as_a_request_may(memory: ResponseMemory) -> None:
    message = Message("user", (Text("a"),), string=True)
    for count, code in ((MAX_MESSAGES - 1, None), (MAX_MESSAGES, "context_length_exceeded")):
        await memory.write("me", answer(count), StoredResponse("t", "me", About("chat"), 1, (message,) * count))
        await memory.write_end("me", answer(count), Final("a"))
        if code is None:
            assert len((await load(memory, answer(count), limit=10**7)).messages) == MAX_MESSAGES
        else:
            assert await refusal(memory, answer(count), limit=10**7) == code


async def test_behind_a_conversation_with_a_name_it_is_not_whole(memory: ResponseMemory) -> None:
    await grow(memory, 1, named=True)
    assert not (await load(memory, answer(0), limit=1000)).whole


def test_an_id_is_a_responses_with_or_without_its_prefix() -> None:
    assert parse_answer(f"resp_{answer(1)}") == parse_answer(answer(1)) == answer(1)
    assert parse_answer("resp_1.2") is None


def test_a_stopped_end_gets_the_blocks_of_the_events() -> None:
    blocks = (Block("reasoning", "hm"), Block("text", "a"))
    progress = Progress("t", 3, "a", "stopped", provider="p", model="m", blocks=blocks)
    stopped = Final("a", reset=True, stopped=True)
    assert complete_end(progress, stopped) == Final(
        "a", reset=True, stopped=True, provider="p", model="m", blocks=blocks
    )
    assert complete_end(progress, Final("a")) == Final("a")
