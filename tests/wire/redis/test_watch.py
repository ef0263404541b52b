"""Looks from time to time, and at once when there is news."""

import asyncio

import pytest
import structlog

from tests.support.conditions import until
from wire.redis.watch import Watch

pytestmark = pytest.mark.anyio


class Looks:
    """Counts them; `fails`: each then raises."""

    def __init__(self, *, fails: bool = False) -> None:
        self.count = 0
        self.news = asyncio.Event()
        self._fails = fails

    async def look(self) -> None:
        self.count += 1
        self.news.clear()
        if self._fails:
            raise ValueError("no port")


async def test_it_looks_again_and_again_until_it_is_closed(anyio_backend: str) -> None:
    """Once each time, however often it was started."""
    looks, before = Looks(), len(asyncio.all_tasks())
    watch = Watch(looks.look, lambda: 0.01)
    for _ in range(3):
        watch.start()
    assert len(asyncio.all_tasks()) == before + 1
    await until(lambda: looks.count > 2)
    await watch.close()
    assert len(asyncio.all_tasks()) == before


async def test_news_make_it_look_at_once(anyio_backend: str) -> None:
    looks = Looks()
    watch = Watch(looks.look, lambda: 60.0, looks.news)
    watch.start()
    looks.news.set()
    await until(lambda: looks.count == 1)
    looks.news.set()
    await until(lambda: looks.count == 2)
    await watch.close()


async def test_a_look_that_fails_is_logged_and_does_not_end_the_others(anyio_backend: str) -> None:
    looks = Looks(fails=True)
    watch = Watch(looks.look, lambda: 0.01)
    with structlog.testing.capture_logs() as logs:
        watch.start()
        await until(lambda: looks.count > 1)
        await watch.close()
    assert {line["event"] for line in logs} == {"a look at redis's servers failed"}


async def test_what_never_began_can_be_closed(anyio_backend: str) -> None:
    await Watch(Looks().look, lambda: 0.01).close()
