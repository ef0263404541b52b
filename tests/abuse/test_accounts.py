"""Questions that hurt only whoever asks them: accounts and everybody else go on as before."""

from pathlib import Path

import pytest

from tests.support.abuse.crowd import SIX, crowd_at

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]

# What the upstream does with each question of one client, and how many it asks at once.
ATTACKS = [("silence", 6), ("close-before", 12), ("close-mid", 12), ("reset-before", 12)]


@pytest.mark.parametrize("servers", [0, 4], ids=["bing", "servers"])
@pytest.mark.parametrize(("word", "count"), ATTACKS)
async def test_questions_that_break_for_one_client_take_no_account_from_others(
    tmp_path: Path, word: str, count: int, servers: int
) -> None:
    async with crowd_at(tmp_path, servers=servers, settings={"FIRST_TEXT_TIMEOUT": "2"}) as crowd:
        await crowd.join("big")
        broken = crowd.ask("big", f"!{word}", count)
        await crowd.ended("big", broken)
        assert not any(exchange.answered for exchange in broken)
        for name in SIX:
            await crowd.join(name)
            assert [exchange.code for exchange in await crowd.answers(name)] == [200]


async def test_slow_questions_of_one_client_take_no_account_from_others_meanwhile(tmp_path: Path) -> None:
    """They ask while some of its questions have run out of time already and others are still at it."""
    async with crowd_at(tmp_path, settings={"FIRST_TEXT_TIMEOUT": "2"}) as crowd:
        await crowd.join("big")
        for name in SIX:
            await crowd.join(name)
        for _ in range(3):
            broken = crowd.ask("big", "!silence", 6)
            for name in SIX:
                assert [exchange.code for exchange in await crowd.answers(name)] == [200]
            await crowd.ended("big", broken)
