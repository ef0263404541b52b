"""Who gets the next turn. Time is counted in turns that began upstream, so that no machine is too slow."""

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.abuse.crowd import HELD, SIX, Crowd, crowd_at
from tests.support.conditions import until
from tests.support.faults.history import Exchange

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]

# The default, far above what one client may have waiting at once in these tests.
ROOM = {"QUEUE_LIMIT": "3000", "CLIENT_LIMIT": "1000"}


async def served_beside(crowd: Crowd, held: list[Exchange]) -> int:
    """Let six others ask one question each, release the places, and return after how many turns all six were served."""
    asked = {}
    for name in SIX:
        await crowd.join(name)
        asked[name] = await crowd.queue(name, 1)
    await crowd.release(held)
    for name, exchanges in asked.items():
        await crowd.ended(name, exchanges)
        assert [exchange.code for exchange in exchanges] == [200]
    order = crowd.order()
    return 1 + max(order.index(name) for name in SIX)


# At 8 places of 1 s a bound of 6 s is 48 turns; the rotation needs 7, and as many may overtake on their way.
SERVED = 14


@pytest.mark.sample
async def test_six_clients_are_served_within_a_round_beside_another_ones_three_hundred(tmp_path: Path) -> None:
    async with crowd_at(tmp_path, settings=ROOM | {"WORKER_SLOTS": "8"}) as crowd:
        held = await crowd.fill(8)
        await crowd.join("big")
        await crowd.queue("big", 300)
        assert await served_beside(crowd, held) <= SERVED


async def test_questions_under_keys_whose_client_has_left_get_no_more_turns_than_others(tmp_path: Path) -> None:
    async with crowd_at(tmp_path, settings=ROOM | {"WORKER_SLOTS": "8"}) as crowd:
        held = await crowd.fill(8)
        await crowd.join("big")
        asked = await crowd.queue("big", 480, keyed=True)
        crowd.leave("big", asked)
        assert await served_beside(crowd, held) <= SERVED


async def test_fifty_clients_with_one_question_get_fifty_of_the_next_51_turns(tmp_path: Path) -> None:
    """Beside one client that has five hundred."""
    async with crowd_at(tmp_path, settings=ROOM | {"WORKER_SLOTS": "1"}) as crowd:
        held = await crowd.fill(1)
        await crowd.join("big")
        await crowd.queue("big", 500)
        names = [f"small{number}" for number in range(50)]
        for name in names:
            await crowd.join(name)
        asked = {name: await crowd.queue(name, 1) for name in names}
        await crowd.release(held)
        for name, exchanges in asked.items():
            await crowd.ended(name, exchanges)
        assert set(names) < set(crowd.order()[:51])


def write_keys(file: Path, weights: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """Write a file of API keys, and return the headers that each of them is sent in."""
    secret = {name: secrets.token_urlsafe() for name in weights}
    hashes = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in secret.items()}
    file.write_text("".join(f"{name} {hashes[name]} weight={weight}\n" for name, weight in weights.items()))
    return {name: {"authorization": f"Bearer {key}"} for name, key in secret.items()}


async def test_turns_are_shared_by_weight(tmp_path: Path) -> None:
    """In 140 turns keys of the weights 1, 2 and 4 get 20, 40 and 80, within a tenth."""
    weights = {"light": 1, "middle": 2, "heavy": 4}
    headers = write_keys(tmp_path / "api-keys", weights | {"holder": 1})
    settings = ROOM | {"WORKER_SLOTS": "1", "API_KEYS_FILE": str(tmp_path / "api-keys")}
    async with crowd_at(tmp_path, settings=settings) as crowd:
        held = await crowd.fill(1, headers["holder"])
        for name in weights:
            await crowd.join(name, headers[name])
            await crowd.queue(name, 100)
        await crowd.release(held)
        turns = Counter(await crowd.turns(140))
        for name, weight in weights.items():
            assert abs(turns[name] - 20 * weight) <= 2 * weight


async def test_long_turns_of_one_client_leave_a_quarter_of_the_places_to_others(tmp_path: Path) -> None:
    """No question of the others waits for the end of one of them: none ends."""
    async with crowd_at(tmp_path, settings={"WORKER_SLOTS": "64"}) as crowd:
        await crowd.join("big")
        crowd.ask("big", HELD, count=90)
        await until(lambda: crowd.running("big") >= 48, "three quarters are taken")
        for name in SIX:
            await crowd.join(name)
        for _ in range(5):
            for exchanges in await asyncio.gather(*map(crowd.answers, SIX)):
                assert [exchange.code for exchange in exchanges] == [200]
        assert crowd.running("big") == 48
        assert Counter(crowd.order())["big"] == 48


async def test_turns_of_one_client_leave_room_at_the_accounts_of_several_workers(tmp_path: Path) -> None:
    """Each worker alone would give it three quarters of what the others have left."""
    async with crowd_at(tmp_path, workers=3, settings={"ACCOUNT_TURNS": "4"}) as crowd:
        await crowd.join("big")
        crowd.ask("big", HELD, count=90)
        places = 4 * crowd.accounts
        await until(lambda: crowd.running("big") >= places * 3 // 4, "three quarters are taken")
        for name in SIX:
            await crowd.join(name)
        for _ in range(5):
            for exchanges in await asyncio.gather(*map(crowd.answers, SIX)):
                assert [exchange.code for exchange in exchanges] == [200]
        assert crowd.running("big") == places * 3 // 4
