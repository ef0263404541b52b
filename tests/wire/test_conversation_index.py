"""The index of conversations, and the one continuation that each of their answers gets."""

import asyncio

import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.conversation_index import ConversationIndex, IndexedConversation
from wire.errors import ConversationMovedError
from wire.jobs import new_answer_id
from wire.messages import Chat
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def size(store: Store) -> tuple[int, int]:
    """How many states the set has, and how many are kept."""
    return await store.commands.zcard(keys.conversations_key()), len(await store.commands.keys("*conversation:*"))


async def follow_up(scenario: Scenario, token: str, after: str) -> str:
    return await scenario.jobs.submit(new_answer_id(), Chat("balanced", "on"), token, create=False, after=after)


async def test_a_state_is_known_by_its_digest_until_its_time_is_over(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=10)
    await index.record(IndexedConversation("t", "a"), ["one", "two"], [])
    assert await index.find("one") == await index.find("two") == IndexedConversation("t", "a")
    assert await index.find("three") is None
    assert 0 < await store.commands.ttl(keys.conversation_key("one")) <= 60
    assert 0 < await store.commands.ttl(keys.conversations_key()) <= 60


async def test_the_state_before_is_forgotten_but_not_somebody_elses(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=10)
    await index.record(IndexedConversation("t", "a"), ["one"], [])
    await index.record(IndexedConversation("u", "b"), ["other"], [])
    await index.record(IndexedConversation("t", "c"), ["two"], ["one", "other", "never there"])
    assert await index.find("one") is None
    assert await index.find("other") == IndexedConversation("u", "b")
    assert await size(store) == (2, 2)


async def test_the_oldest_make_room(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=3)
    for number in range(5):
        await index.record(IndexedConversation("t", str(number)), [f"state{number}"], [])
    assert [await index.find(f"state{number}") is not None for number in range(5)] == [False, False, True, True, True]
    assert await size(store) == (3, 3)


async def test_a_limit_that_was_lowered_holds_after_some_notes(store: Store) -> None:
    await ConversationIndex(store, ttl=60, limit=1000).record(
        IndexedConversation("t", "a"), [f"s{n}" for n in range(250)], []
    )
    for number in range(3):
        await ConversationIndex(store, ttl=60, limit=2).record(IndexedConversation("t", "a"), [f"new{number}"], [])
    assert await size(store) == (2, 2)


async def test_states_whose_time_is_over_leave_the_set(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=10)
    await store.commands.zadd(keys.conversations_key(), {"old": 1})
    await index.record(IndexedConversation("t", "a"), ["new"], [])
    assert await size(store) == (1, 1)


async def test_of_many_that_go_on_from_one_answer_one_does(store: Store) -> None:
    scenario = Scenario(store)
    first = await scenario.ask()
    tries = [follow_up(scenario, first.token, first.answer) for _ in range(10)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(result) for result in results if isinstance(result, Exception)] == [ConversationMovedError] * 9
    with pytest.raises(ConversationMovedError):
        await follow_up(scenario, first.token, first.answer)


async def test_a_question_without_a_place_continues_wherever_the_conversation_is(store: Store) -> None:
    scenario = Scenario(store)
    first = await scenario.ask()
    second = await scenario.ask(token=first.token)
    with pytest.raises(ConversationMovedError):
        await follow_up(scenario, first.token, first.answer)
    assert await follow_up(scenario, first.token, second.answer)


async def test_a_question_that_ended_unspent_leaves_the_conversation_where_it_was(store: Store) -> None:
    scenario = Scenario(store)
    await scenario.settle()
    await scenario.hire("w1")
    first = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"))
    for _ in range(2):
        second = await follow_up(scenario, first.token, first.answer)
        assert await scenario.jobs.expire(second)
    third = await follow_up(scenario, first.token, first.answer)
    await scenario.finish(await scenario.sent("w1"))
    with pytest.raises(ConversationMovedError):
        await follow_up(scenario, first.token, first.answer)
    assert await follow_up(scenario, first.token, third)


async def test_a_spent_question_moves_the_conversation_also_when_it_failed(store: Store) -> None:
    scenario = Scenario(store)
    await scenario.settle()
    await scenario.hire("w1")
    first = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"))
    second = await follow_up(scenario, first.token, first.answer)
    await scenario.sent("w1")
    await scenario.jobs.stop(second)
    with pytest.raises(ConversationMovedError):
        await follow_up(scenario, first.token, first.answer)
