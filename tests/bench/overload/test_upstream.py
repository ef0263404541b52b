"""The upstream inside the worker."""

import time

import pytest

from bench.clients.verdict import STAMP
from bench.overload.upstream import MIN_SIZE, Upstream
from tests.support.worker.harness import settings_with
from worker.accounts.account import CookieAccount
from worker.providers import Completion, Snapshot

pytestmark = pytest.mark.anyio


async def ask(question: str) -> tuple[list[str], str]:
    async def before_send() -> None:
        pass

    upstream = Upstream(settings_with())
    *updates, end = [
        update async for update in upstream.ask(CookieAccount("a", {}), None, "balanced", question, before_send)
    ]
    await upstream.close()
    assert isinstance(end, Completion)
    return [update.text for update in updates if isinstance(update, Snapshot)], end.text


async def test_an_answer_has_as_many_pieces_of_that_size_as_are_asked_for() -> None:
    snapshots, end = await ask("!deltas=3 !rate=1000 !size=40")
    assert [len(snapshot) for snapshot in snapshots] == [40, 80, 120]
    assert len(STAMP.findall(end.encode())) == 3


async def test_pieces_hold_the_time_at_which_they_were_due() -> None:
    began = time.time_ns()
    _, end = await ask("!deltas=3 !rate=100")
    assert len(end) == 3 * MIN_SIZE
    first, *others = map(int, STAMP.findall(end.encode()))
    assert first >= began
    assert [other - first for other in others] == pytest.approx([1e7, 2e7], abs=1000)
