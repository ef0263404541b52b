"""The index of conversations, and the one continuation that each of their answers gets."""

import asyncio

import pytest

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.conversation_index import CLIENT_PART, ConversationIndex, IndexedConversation
from wire.errors import ConversationMovedError
from wire.jobs import new_answer_id
from wire.messages import Chat
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def size(store: Store) -> tuple[int, int]:
    """How many states the set has, and how many are kept."""
    client = redis_client(store)
    return await client.zcard(keys.conversations_key()), len(await client.keys("*conversation:*"))


async def follow_up(scenario: Scenario, token: str, after: str) -> str:
    return await scenario.jobs.submit(new_answer_id(), Chat("balanced", "on"), token, create=False, after=after)


async def test_a_state_is_known_by_its_digest_until_its_time_is_over(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=10)
    await index.record("c", IndexedConversation("t", "a"), ["one", "two"], [])
    assert await index.find("one") == await index.find("two") == IndexedConversation("t", "a")
    assert await index.find("three") is None
    assert 0 < await redis_client(store).ttl(keys.conversation_key("one")) <= 60
    assert 0 < await redis_client(store).ttl(keys.conversations_key()) <= 60


async def test_the_state_before_is_forgotten_but_not_somebody_elses(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=10)
    await index.record("c", IndexedConversation("t", "a"), ["one"], [])
    await index.record("c", IndexedConversation("u", "b"), ["other"], [])
    await index.record("c", IndexedConversation("t", "c"), ["two"], ["one", "other", "never there"])
    assert await index.find("one") is None
    assert await index.find("other") == IndexedConversation("u", "b")
    assert await size(store) == (2, 2)


async def test_the_oldest_make_room(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=3)
    for number in range(5):
        await index.record(f"c{number}", IndexedConversation("t", str(number)), [f"state{number}"], [])
    assert [await index.find(f"state{number}") is not None for number in range(5)] == [False, False, True, True, True]
    assert await size(store) == (3, 3)


async def test_one_clients_conversations_push_out_its_own_and_nobody_elses(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=4 * CLIENT_PART)
    for client in ("bob", "carol", "dave"):
        await index.record(client, IndexedConversation("t", "a"), [client], [])
    for number in range(100):
        await index.record("alice", IndexedConversation("u", "b"), [f"alice{number}"], [])
    assert None not in [await index.find(client) for client in ("bob", "carol", "dave")]
    known = [number for number in range(100) if await index.find(f"alice{number}") is not None]
    assert known == [96, 97, 98, 99]
    assert await size(store) == (7, 7)
    assert await redis_client(store).zcard(keys.states_key("alice")) == 4


async def test_a_state_that_made_room_for_others_costs_its_client_nothing(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=2 * CLIENT_PART)
    await index.record("alice", IndexedConversation("t", "a"), ["first"], [])
    for number in range(2 * CLIENT_PART):
        await index.record(f"c{number}", IndexedConversation("t", "a"), [f"of{number}"], [])
    assert await index.find("first") is None
    for state in ("second", "third"):
        await index.record("alice", IndexedConversation("t", "a"), [state], [])
    assert None not in [await index.find(state) for state in ("second", "third")]


async def test_a_turn_replaces_the_state_before_in_its_clients_share(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=2 * CLIENT_PART)
    await index.record("alice", IndexedConversation("t", "a"), ["other"], [])
    for number in range(10):
        await index.record("alice", IndexedConversation("u", str(number)), [f"{number}"], [f"{number - 1}"])
    assert None not in [await index.find(state) for state in ("other", "9")]
    assert 0 < await redis_client(store).ttl(keys.states_key("alice")) <= 60


async def test_a_limit_that_was_lowered_holds_after_some_notes(store: Store) -> None:
    await ConversationIndex(store, ttl=60, limit=1000).record(
        "c", IndexedConversation("t", "a"), [f"s{n}" for n in range(250)], []
    )
    for number in range(3):
        await ConversationIndex(store, ttl=60, limit=2).record("c", IndexedConversation("t", "a"), [f"new{number}"], [])
    assert await size(store) == (1, 1)


async def test_states_whose_time_is_over_leave_the_set(store: Store) -> None:
    index = ConversationIndex(store, ttl=60, limit=10)
    await redis_client(store).zadd(keys.conversations_key(), {"old": 1})
    await index.record("c", IndexedConversation("t", "a"), ["new"], [])
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
