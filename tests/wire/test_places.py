"""A waiting question's place in the queue: when its turn comes if all others stay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.settings import GatewaySettings
from tests.support.wire.scenario import Asked, Scenario
from wire import keys
from wire.answers import Answers, QueuePosition
from wire.jobs import Client
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

A, B, C = Client("address:a"), Client("address:b"), Client("address:c")


async def place(scenario: Scenario, question: Asked) -> int:
    position = await Answers(scenario.store).read_position(question.answer)
    assert position is not None
    return position.position


async def ask(scenario: Scenario, *clients: Client) -> list[Asked]:
    return [await scenario.ask(client=client) for client in clients]


async def test_a_newcomers_place_is_behind_one_question_of_each_other_client(scenario: Scenario) -> None:
    *_, of_b, of_c = await ask(scenario, *[A] * 20, B, C)
    assert [await place(scenario, question) for question in (of_b, of_c)] == [2, 3]


async def test_each_further_question_of_a_client_waits_one_more_round(scenario: Scenario) -> None:
    questions = await ask(scenario, A, B, C, A, B, C, A, B, C)
    assert [await place(scenario, question) for question in questions] == list(range(1, 10))


async def test_nobodys_place_is_behind_the_end_of_the_queue(scenario: Scenario) -> None:
    questions = await ask(scenario, A, A, A, A, B)
    assert [await place(scenario, question) for question in questions] == [1, 3, 5, 5, 2]


async def test_with_more_weight_a_client_waits_fewer_rounds(scenario: Scenario) -> None:
    heavy = Client("key:a", "a", weight=3)
    questions = await ask(scenario, *[heavy] * 7, *[B] * 9)
    assert [await place(scenario, question) for question in questions[:7]] == [1, 2, 3, 5, 6, 7, 9]


async def test_a_tokens_second_question_waits_for_a_round_of_its_clients_tokens(scenario: Scenario) -> None:
    first, _, _ = await ask(scenario, A, A, B)
    second = await scenario.ask(token=first.token, client=A)
    # Its token comes again behind the other one of its client.
    assert await place(scenario, second) == 4


async def test_behind_a_running_turn_a_question_waits_behind_its_clients_others(
    scenario: Scenario,
) -> None:
    await scenario.hire("w1")
    first, *_ = await ask(scenario, A, A, A)
    second = await scenario.ask(token=first.token, client=A)
    assert (await scenario.take("w1")).answer == first.answer
    assert await place(scenario, second) == 3


async def test_a_client_with_nothing_but_a_running_turn_will_go_to_the_end(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first, *_ = await ask(scenario, A, B, C)
    second = await scenario.ask(token=first.token, client=A)
    assert (await scenario.take("w1")).answer == first.answer
    assert await place(scenario, second) == 3


async def test_what_comes_back_has_a_place_ahead_of_its_clients_others(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first, second, third = await ask(scenario, A, A, A)
    tasks = [await scenario.take("w1"), await scenario.take("w1")]
    for task in tasks:
        await scenario.sessions.release(task.lease)
    assert [await place(scenario, question) for question in (first, second, third)] == [1, 2, 3]


async def test_the_wait_is_measured_by_how_fast_jobs_end(scenario: Scenario) -> None:
    questions = await ask(scenario, A, B)
    at = (await scenario.redis.time())[0] * 1000
    await scenario.redis.hset(keys.rate_key(), mapping={"at": at, "gap": 7000})
    answers = Answers(scenario.store)
    assert [await answers.read_position(question.answer) for question in questions] == [
        QueuePosition(1, 7),
        QueuePosition(2, 14),
    ]


async def test_questions_that_ended_while_they_waited_make_no_line_long(store: Store) -> None:
    """Each place is counted along the line, and a client may ask and stop as often as it likes."""
    scenario = Scenario(store, GatewaySettings(client_limit=10))
    await scenario.hire("w1")
    first, token = await scenario.ask(client=A), ""
    for _ in range(40):
        stopped = await scenario.ask(client=A)
        await scenario.jobs.stop(stopped.answer)
        token = token or stopped.token
        assert await scenario.redis.xlen(keys.line_key(A.name)) <= 20
    last, again = await scenario.ask(client=A), await scenario.ask(token=token, client=A)
    turns = [turn.answer for turn in await scenario.take_all("w1")]
    assert turns == [first.answer, last.answer, again.answer]


LINES = st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=12)


@given(LINES)
@settings(max_examples=30)
async def test_no_place_is_too_good_and_the_turns_come_in_the_order_of_places(clients: list[Client]) -> None:
    """Turns may come sooner than it says, since lines become empty."""
    store = Store("memory://")
    scenario = Scenario(store, GatewaySettings())
    await scenario.hire("w1")
    questions = await ask(scenario, *clients)
    places = {question.answer: await place(scenario, question) for question in questions}
    turns = [(await scenario.take("w1")).answer for _ in questions]
    for turn, answer in enumerate(turns, 1):
        assert turn <= places[answer] <= len(questions)
    assert [places[answer] for answer in turns] == sorted(places.values())
    await store.close()


@given(st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=12)
async def test_places_are_exact_while_all_lines_are_equally_long(clients: int, length: int) -> None:
    store = Store("memory://")
    scenario = Scenario(store, GatewaySettings())
    await scenario.hire("w1")
    questions = await ask(scenario, *[A, B, C][:clients] * length)
    places = {question.answer: await place(scenario, question) for question in questions}
    turns = [(await scenario.take("w1")).answer for _ in questions]
    assert [places[answer] for answer in turns] == list(range(1, len(questions) + 1))
    await store.close()
